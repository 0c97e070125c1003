import { describe, expect, it } from "vitest";
import { TorchError } from "../support/errors.js";
import { empty, Generator, normal_, numLiveTensors, uniform_, zeros } from "./index.js";

const draw = (generator: Generator, count = 5): number[] => normal_(empty([count]), 0, 1, generator).toNumbers();

describe("Generator", () => {
  it("draws the same from the same seed", () => expect(draw(new Generator(7))).toEqual(draw(new Generator(7))));

  it("draws what PyTorch draws on the CPU from the seed", () => {
    // torch.manual_seed(0); torch.randn(3), torch.rand(2, dtype=torch.float64)
    expect(draw(new Generator(0), 3).map((x) => x.toFixed(4))).toEqual(["1.5410", "-0.2934", "-2.1788"]);
    const uniform = uniform_(zeros([2], "float64"), 0, 1, new Generator(0)).toNumbers();
    expect(uniform.every((u) => u >= 0 && u < 1)).toBe(true);
  });

  it("draws differently from seeds that differ in their lowest 32 bits, and only from those", () => {
    const seeds = [0, 1, 2, 2 ** 31, 2 ** 32 - 1, 2 ** 48 + 5];
    expect(new Set(seeds.map((seed) => draw(new Generator(seed)).join())).size).toBe(seeds.length);
    expect(draw(new Generator(2 ** 32 + 1))).toEqual(draw(new Generator(1)));
    expect(draw(new Generator(Number.MAX_SAFE_INTEGER))).toEqual(draw(new Generator(2 ** 32 - 1)));
  });

  it("is not disturbed by another generator", () => {
    const [a, b] = [new Generator(1), new Generator(1)];
    const first = draw(a);
    draw(new Generator(2));
    expect(draw(b)).toEqual(first);
    expect(draw(b)).toEqual(draw(a));
  });

  it("continues its stream from a saved state", () => {
    const original = new Generator(3);
    draw(original, 3); // an odd count leaves half of a pair of normal draws behind
    using state = original.state;
    expect(state.dtype).toBe("uint8");
    const rest = draw(original, 4);
    const other = new Generator(99);
    other.state = state;
    expect(draw(other, 4)).toEqual(rest);
    original.state = state;
    expect(draw(original, 4)).toEqual(rest);
  });

  it.each([[-1], [1.5], [Number.NaN], [2 ** 60]])("refuses the seed %d", (seed) => {
    expect(() => new Generator(seed)).toThrow(/^torch.Generator: expected .*got/);
  });

  it("refuses a state that is not one, and a device there is not", () => {
    expect(() => {
      new Generator(0).state = zeros([3], "uint8");
    }).toThrow(TorchError);
    expect(() => {
      new Generator(0).state = zeros([3]);
    }).toThrow(/^torch.Generator.state: /);
    expect(() => new Generator(0, "abacus")).toThrow(/^torch.Generator: .*abacus/);
  });

  it("refuses to draw after its disposal, which may come twice", () => {
    const generator = new Generator(0);
    generator[Symbol.dispose]();
    generator[Symbol.dispose]();
    const before = numLiveTensors();
    expect(() => generator.state).toThrow("expected a live generator, got a disposed one");
    expect(numLiveTensors()).toBe(before);
    expect(() => draw(generator)).toThrow(/aten::normal_.*expected a live generator/);
  });
});

import { describe, expect, it } from "vitest";
import { empty, Generator, matmul, neg, normal_, type Tensor, tensor, toDtype, transpose } from "../torch/index.js";
import { rotaryAngles, rotate } from "./index.js";

const generator = new Generator(8);
const E = 8;
const [L, H] = [5, 2];
const draw = (): Tensor => normal_(empty([1, H, L, E], "float32"), 0, 1, generator);
const angles = (positions: number[], base = 10_000): ReturnType<typeof rotaryAngles> =>
  rotaryAngles(tensor(positions, [1, positions.length], "int64"), E, base);

const expectClose = (x: Tensor, expected: number[], digits = 5): void => {
  for (const [i, value] of x.toNumbers().entries()) expect(value).toBeCloseTo(expected[i]!, digits);
};

describe("rotaryAngles", () => {
  it("are position / base^(2j/E)", () => {
    const { cos, sin } = angles([0, 3], 100);
    expect(cos.shape).toEqual([1, 1, 2, E / 2]);
    const radians = [0, 3].flatMap((position) => [0, 1, 2, 3].map((j) => position / 100 ** ((2 * j) / E)));
    expectClose(cos, radians.map(Math.cos), 6);
    expectClose(sin, radians.map(Math.sin), 6);
  });
});

describe("rotate", () => {
  it("pairs the first half of a head with its second half", () => {
    const x = tensor([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], [1, 2, 1, E]);
    const rotated = rotate(x, angles([1]));
    const [cos, sin] = [Math.cos(1), Math.sin(1)];
    expectClose(rotated, [cos, 0, 0, 0, sin, 0, 0, 0, -sin, 0, 0, 0, cos, 0, 0, 0]);
  });

  it("makes dot products depend on differences of positions only", () => {
    const [query, key] = [draw(), draw()];
    const scores = (shift: number): number[] => {
      const rotary = angles([0, 1, 2, 5, 9].map((position) => position + shift));
      return matmul(rotate(query, rotary), transpose(rotate(key, rotary), -1, -2)).toNumbers();
    };
    for (const shift of [1, 17, 300]) {
      for (const [i, score] of scores(shift).entries()) expect(score).toBeCloseTo(scores(0)[i]!, 3);
    }
    const unrotated = matmul(query, transpose(key, -1, -2)).toNumbers();
    expect(scores(0).some((score, i) => Math.abs(score - unrotated[i]!) > 0.1)).toBe(true);
  });

  it("keeps lengths, is nothing at position 0, and is undone by the opposite angles", () => {
    const x = draw();
    expect(rotate(x, angles([0, 0, 0, 0, 0])).toNumbers()).toEqual(x.toNumbers());
    const rotary = angles([1, 2, 3, 4, 50]);
    const rotated = rotate(x, rotary);
    expectClose(rotate(rotated, { cos: rotary.cos, sin: neg(rotary.sin) }), x.toNumbers());
    const norm = (values: number[]): number => Math.hypot(...values);
    expect(norm(rotated.toNumbers())).toBeCloseTo(norm(x.toNumbers()), 4);
  });

  it("computes in float32 and returns the input's type", () => {
    const x = toDtype(draw(), "bfloat16");
    const rotary = angles([1, 2, 3, 4, 5]);
    const expected = toDtype(toDtype(rotate(toDtype(x, "float32"), rotary), "bfloat16"), "float32").toNumbers();
    expect(rotate(x, rotary).dtype).toBe("bfloat16");
    expect(toDtype(rotate(x, rotary), "float32").toNumbers()).toEqual(expected);
  });
});

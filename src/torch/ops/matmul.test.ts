import { describe, expect, it } from "vitest";
import {
  abs,
  add,
  empty,
  expand,
  Generator,
  grad,
  inference,
  linear,
  matmul,
  max,
  noGrad,
  normal_,
  numLiveTensors,
  scope,
  slice,
  sub,
  sum,
  type Tensor,
  toDtype,
  transpose,
} from "../index.js";

const generator = new Generator(0);
const draw = (...shape: number[]): Tensor => normal_(empty(shape, "float32"), 0, 1, generator);

/** The same by the general operators, in float64. */
const reference = (x: Tensor, weight: Tensor, bias: Tensor): Tensor => {
  const [a, b, c] = [x, weight, bias].map((t) => toDtype(t, "float64")) as [Tensor, Tensor, Tensor];
  return add(matmul(a, transpose(b, 0, 1)), c);
};

describe("linear", () => {
  // 16 rows and more without recording go to another kernel than fewer rows.
  const inputs: [string, Tensor][] = [
    ["a vector", draw(6)],
    ["few rows", draw(3, 6)],
    ["many rows", draw(40, 6)],
    ["a batch of many rows", draw(4, 10, 6)],
    ["a transposed batch", transpose(draw(10, 4, 6), 0, 1)],
    ["a transposed matrix", transpose(draw(6, 40), 0, 1)],
    ["a repeated batch", expand(draw(1, 20, 6), [3, 20, 6])],
    ["no rows", draw(0, 6)],
  ];
  const weights: [string, Tensor, Tensor][] = [
    ["dense", draw(8, 6), draw(8)],
    ["transposed", transpose(draw(6, 8), 0, 1), draw(8)],
    ["strided", slice(draw(8, 12), 1, 0, 12, 2), slice(draw(16), 0, 0, 16, 2)],
  ];
  const cases = inputs.flatMap(([name, x]) => weights.map(([kind, w, b]) => ({ name, kind, x, w, b })));
  it.each(cases)("of $name by a $kind weight is x · weightᵀ + bias", ({ x, w, b }) => {
    const expected = reference(x, w, b);
    for (const y of [linear(x, w, b), noGrad(() => linear(x, w, b)), inference(() => linear(x, w, b))]) {
      expect(y.shape).toEqual(expected.shape);
      if (y.numElements > 0) expect(max(abs(sub(y, expected))).item()).toBeLessThan(1e-5);
    }
  });

  it.each(["input", "weight", "bias"])("passes gradients to the %s alone", (name) => {
    const given = { input: draw(40, 6), weight: draw(8, 6), bias: draw(8) };
    const leaf = given[name as keyof typeof given];
    leaf.requiresGrad = true;
    const [gradient] = grad(sum(linear(given.input, given.weight, given.bias)), [leaf]);
    expect(gradient?.shape).toEqual(leaf.shape);
    expect(max(abs(gradient!)).item()).toBeGreaterThan(0);
  });

  it("leaves one tensor alive", () => {
    const [x, w, b] = [draw(40, 6), draw(8, 6), draw(8)];
    const before = numLiveTensors();
    using _with = linear(x, w, b);
    using _without = linear(x, w);
    expect(numLiveTensors()).toBe(before + 2);
  });

  it.each([
    ["inner sizes", () => linear(draw(40, 6), draw(8, 5)), /shapes cannot be multiplied \(40x6 and 5x8\)/],
    ["a bias", () => linear(draw(40, 6), draw(8, 6), draw(7)), /bias: float32\[7\]/],
    ["dtypes", () => linear(draw(40, 6), toDtype(draw(8, 6), "bfloat16")), /weight: bfloat16\[8, 6\].*same dtype/],
  ])("says which shapes disagree: %s", (_, call, text) => {
    expect(() => scope(call)).toThrow(text);
  });
});

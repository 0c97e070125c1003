import { describe, expect, it } from "vitest";
import {
  abs,
  add,
  empty,
  expand,
  Generator,
  gelu,
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
const [I, O] = [128, 160];
const draw = (...shape: number[]): Tensor => normal_(empty(shape, "float32"), 0, 1, generator);

/** The same by the general operators, in float64. */
const reference = (x: Tensor, weight: Tensor, bias: Tensor): Tensor => {
  const [a, b, c] = [x, weight, bias].map((t) => toDtype(t, "float64")) as [Tensor, Tensor, Tensor];
  return add(matmul(a, transpose(b, 0, 1)), c);
};

describe("linear", () => {
  // Many rows without recording go to another kernel than few rows.
  const inputs: [string, Tensor][] = [
    ["a vector", draw(I)],
    ["few rows", draw(3, I)],
    ["many rows", draw(300, I)],
    ["a batch of many rows", draw(3, 100, I)],
    ["a transposed batch", transpose(draw(100, 3, I), 0, 1)],
    ["a transposed matrix", transpose(draw(I, 300), 0, 1)],
    ["a repeated batch", expand(draw(1, 100, I), [3, 100, I])],
    ["no rows", draw(0, I)],
  ];
  const weights: [string, Tensor, Tensor][] = [
    ["dense", draw(O, I), draw(O)],
    ["transposed", transpose(draw(I, O), 0, 1), draw(O)],
    ["strided", slice(draw(O, 2 * I), 1, 0, 2 * I, 2), slice(draw(2 * O), 0, 0, 2 * O, 2)],
  ];
  const cases = inputs.flatMap(([name, x]) => weights.map(([kind, w, b]) => ({ name, kind, x, w, b })));
  it.each(cases)("of $name by a $kind weight is x · weightᵀ + bias", ({ x, w, b }) => {
    const expected = reference(x, w, b);
    for (const y of [linear(x, w, b), noGrad(() => linear(x, w, b)), inference(() => linear(x, w, b))]) {
      expect(y.shape).toEqual(expected.shape);
      if (y.numElements > 0) expect(max(abs(sub(y, expected))).item()).toBeLessThan(1e-4);
    }
  });

  it.each(["input", "weight", "bias"])("passes gradients to the %s alone", (name) => {
    const given = { input: draw(300, I), weight: draw(O, I), bias: draw(O) };
    const leaf = given[name as keyof typeof given];
    leaf.requiresGrad = true;
    const [gradient] = grad(sum(linear(given.input, given.weight, given.bias)), [leaf]);
    expect(gradient?.shape).toEqual(leaf.shape);
    expect(max(abs(gradient!)).item()).toBeGreaterThan(0);
  });

  it.each(["few", "many"])("is followed by gelu if asked, for %s rows", (amount) => {
    const [x, w, b] = [draw(amount === "few" ? 3 : 300, I), draw(O, I), draw(O)];
    const expected = gelu(reference(x, w, b), "tanh");
    for (const y of [linear(x, w, b, "gelu"), noGrad(() => linear(x, w, b, "gelu"))]) {
      expect(max(abs(sub(y, expected))).item()).toBeLessThan(1e-4);
    }
  });

  it("leaves one tensor alive", () => {
    const [x, w, b] = [draw(300, I), draw(O, I), draw(O)];
    const before = numLiveTensors();
    using _with = linear(x, w, b);
    using _without = linear(x, w);
    expect(numLiveTensors()).toBe(before + 2);
  });

  it.each([
    ["inner sizes", () => linear(draw(300, I), draw(O, I - 1)), /shapes cannot be multiplied \(300x128 and 127x160\)/],
    ["a bias", () => linear(draw(300, I), draw(O, I), draw(O - 1)), /bias: float32\[159\]/],
    ["dtypes", () => linear(draw(300, I), toDtype(draw(O, I), "bfloat16")), /weight: bfloat16\[160, 128\].*same dtype/],
  ])("says which shapes disagree: %s", (_, call, text) => {
    expect(() => scope(call)).toThrow(text);
  });
});

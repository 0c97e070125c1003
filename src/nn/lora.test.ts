import { describe, expect, it } from "vitest";
import {
  abs,
  empty,
  Generator,
  gelu,
  grad,
  linear,
  max,
  normal_,
  numLiveTensors,
  scope,
  sub,
  sum,
  type Tensor,
  tensor,
  toDtype,
} from "../torch/index.js";
import { Linear, Lora, mergedWeights, type ParameterSource } from "./index.js";

const [INPUTS, OUTPUTS, RANK, SCALING] = [7, 5, 3, 0.5];
const generator = new Generator(11);
const drawn: ParameterSource = (_, shape) => normal_(empty(shape, "float32"), 0, 1, generator);
const initial: ParameterSource = (_, shape, law) =>
  law.kind === "constant"
    ? normal_(empty(shape, "float32"), law.value, 0, generator)
    : normal_(empty(shape, "float32"), 0, 1, generator);
const difference = (x: Tensor, y: Tensor): number => scope(() => max(abs(sub(x, y))).item());

function layerWith(source: ParameterSource, dtype: "float32" | "bfloat16" = "float32"): Linear {
  const layer = new Linear((...wanted) => toDtype(drawn(...wanted), dtype), INPUTS, OUTPUTS, { bias: true });
  layer.lora = new Lora(source, [OUTPUTS, INPUTS], RANK, SCALING);
  return layer;
}

describe("a corrected linear layer", () => {
  const x = drawn("x", [4, INPUTS], { kind: "constant", value: 0 });

  it.each(["float32", "bfloat16"] as const)("begins as the plain layer, to the last bit, in %s", (dtype) => {
    const layer = layerWith(initial, dtype);
    const corrected = layer.forward(x);
    layer.lora = undefined;
    expect(corrected.dtype).toBe(dtype);
    expect(toDtype(corrected, "float32").toNumbers()).toEqual(toDtype(layer.forward(x), "float32").toNumbers());
  });

  it("adds scaling * (x @ a.T) @ b.T, and the activation follows the sum", () => {
    const layer = layerWith(drawn);
    const { a, b } = layer.lora!;
    const [weight, bias] = [layer.weight, layer.bias!].map((t) => toDtype(t, "float64")) as [Tensor, Tensor];
    const delta = Array.from({ length: OUTPUTS * INPUTS }, (_, i) => {
      const [o, n] = [Math.floor(i / INPUTS), i % INPUTS];
      return Array.from({ length: RANK }, (_, r) => b.toNumbers()[o * RANK + r]! * a.toNumbers()[r * INPUTS + n]!);
    }).map((terms) => SCALING * terms.reduce((total, term) => total + term, 0));
    for (const [i, value] of layer.lora!.delta().toNumbers().entries()) expect(value).toBeCloseTo(delta[i]!, 5);
    const wide = toDtype(x, "float64");
    const merged = weight.toNumbers().map((value, i) => value + delta[i]!);
    const expected = linear(wide, tensor(merged, [OUTPUTS, INPUTS], "float64"), bias);
    expect(difference(toDtype(layer.forward(x), "float64"), expected)).toBeLessThan(1e-5);
    expect(difference(toDtype(layer.forward(x, "gelu"), "float64"), gelu(expected, "tanh"))).toBeLessThan(1e-5);
    expect(
      layer
        .mergedWeight()!
        .toNumbers()
        .every((value, i) => Math.abs(value - merged[i]!) < 1e-5),
    ).toBe(true);
  });

  it("gives gradients to its two matrices, and none to the weight if that is frozen", () => {
    const layer = layerWith(drawn);
    layer.lora!.setTrainable(true);
    const gradients = grad(sum(layer.forward(x)), [layer.lora!.a, layer.lora!.b]);
    expect(gradients.map((gradient) => gradient?.shape)).toEqual([
      [RANK, INPUTS],
      [OUTPUTS, RANK],
    ]);
    expect(layer.weight.requiresGrad).toBe(false);
  });

  it("lists its matrices behind weight and bias, and its merged weight under the weight's name", () => {
    const layer = layerWith(drawn);
    expect(Array.from(layer.namedParameters("layer"), ([name]) => name)).toEqual([
      "layer.weight",
      "layer.bias",
      "layer.lora.a",
      "layer.lora.b",
    ]);
    expect([...mergedWeights(layer).keys()]).toEqual(["weight"]);
    layer.lora = undefined;
    expect(mergedWeights(layer).size).toBe(0);
    expect(layer.mergedWeight()).toBeUndefined();
  });

  it("leaves one tensor alive", () => {
    const layer = layerWith(drawn);
    const before = numLiveTensors();
    const results = [layer.forward(x), layer.mergedWeight()!, layer.lora!.delta()];
    expect(numLiveTensors()).toBe(before + results.length);
    for (const result of results) result.dispose();
  });
});

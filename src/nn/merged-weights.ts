import { noGrad, type Tensor } from "../torch/index.js";
import { Linear } from "./linear.js";
import type { Module } from "./module.js";

/**
 * How to make the weights of a network's corrected linear layers with their corrections in them, by the names of the
 * parameters they replace. Each call makes a new float32 tensor, without gradients.
 *
 * @param values in place of the corrections' own matrices, by their names: an average of them, say
 */
export function mergedWeights(
  network: Module,
  values: ReadonlyMap<string, Tensor> = new Map(),
): ReadonlyMap<string, () => Tensor> {
  const weights = new Map<string, () => Tensor>();
  for (const [path, module] of network.namedModules()) {
    if (!(module instanceof Linear) || module.lora === undefined) continue;
    const below = path === "" ? "" : `${path}.`;
    const [a, b] = [values.get(`${below}lora.a`), values.get(`${below}lora.b`)];
    weights.set(`${below}weight`, () => noGrad(() => module.mergedWeight(a, b)!));
  }
  return weights;
}

import { noGrad, type Tensor } from "../torch/index.js";
import { Linear } from "./linear.js";
import type { Module } from "./module.js";

/**
 * How to make the weights of a network's corrected linear layers with their corrections in them, by the names of the
 * parameters they replace. Each call makes a new float32 tensor, without gradients.
 */
export function mergedWeights(network: Module): ReadonlyMap<string, () => Tensor> {
  const weights = new Map<string, () => Tensor>();
  for (const [path, module] of network.namedModules()) {
    if (!(module instanceof Linear) || module.lora === undefined) continue;
    weights.set(path === "" ? "weight" : `${path}.weight`, () => noGrad(() => module.mergedWeight()!));
  }
  return weights;
}

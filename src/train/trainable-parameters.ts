import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { adapterRule } from "../smolvla/lora-adapter.js";
import { freezeRule } from "../smolvla/trainable.js";
import type { Tensor } from "../torch/index.js";
import type { TrainConfig } from "./config.js";

/** Parameters that a run trains, by our names, switched on for gradients; all others are switched off. */
export function trainableParameters(policy: SmolVLAPolicy, { freezePattern }: TrainConfig): Map<string, Tensor> {
  const { model, config, vlmConfig } = policy;
  const isTrained = model.adapter ? adapterRule(model) : freezeRule(freezePattern, config, vlmConfig);
  const chosen = new Map<string, Tensor>();
  for (const [name, parameter] of model.namedParameters()) {
    parameter.requiresGrad = isTrained(name);
    if (parameter.requiresGrad) chosen.set(name, parameter);
  }
  return chosen;
}

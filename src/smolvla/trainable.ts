import type { SmolVLAConfig } from "./config.js";
import { numLayersOf } from "./smolvla.js";
import type { VlmConfig } from "./vlm-config.js";

/** The settings of a policy that decide what of it is trained. */
export type TrainableSettings = Pick<SmolVLAConfig, "trainExpertOnly" | "freezeVisionEncoder" | "trainStateProj">;

/**
 * Whose rule decides what stays frozen in a language model that is trained: that of LeRobot 0.4 to 0.6.0, or that of 0.6.1
 * and later. With `train_expert_only` they are the same.
 */
export const FREEZE_PATTERNS = ["0.4", "0.6"] as const;
export type FreezePattern = (typeof FREEZE_PATTERNS)[number];

/**
 * Whether training changes a parameter, as in LeRobot up to 0.6.0:
 *
 * - the action expert and its projections always, but the state projection only with `train_state_proj`;
 * - the vision-language model only without `train_expert_only`, and then its vision tower only without
 *   `freeze_vision_encoder`, and its unused output head never.
 *
 * @param name our own field path, as `namedParameters` of the whole network gives it
 *
 * Reference: LeRobot 0.4.4, `SmolVLMWithExpertModel.set_requires_grad` and `VLAFlowMatching.set_requires_grad`; its patterns
 * for the last layer and the last norm match no parameter.
 */
export function isTrainable(name: string, settings: TrainableSettings): boolean {
  if (name.startsWith("expert.stateIn.")) return settings.trainStateProj;
  if (name.startsWith("expert.")) return true;
  if (settings.trainExpertOnly || name.startsWith("vlm.unusedHead.")) return false;
  return !(settings.freezeVisionEncoder && name.startsWith("vlm.vision."));
}

/**
 * Which parameters training changes in a network, by the rule of a LeRobot version.
 *
 * Pattern `0.4` is `isTrainable`. Pattern `0.6` also freezes the final norm and the last layer of a language model that is
 * trained, and the last layer but one under an expert with fewer layers: LeRobot takes them for unused, and so they are but
 * for the keys and values that the expert reads there.
 *
 * @param vlmConfig gives the number of layers where the configuration leaves it open
 * @returns a claim about a parameter, by our own field path
 *
 * Reference: LeRobot 0.6.1, `SmolVLMWithExpertModel.set_requires_grad`.
 */
export function freezeRule(
  pattern: FreezePattern,
  config: SmolVLAConfig,
  vlmConfig: VlmConfig,
): (name: string) => boolean {
  if (pattern === "0.4") return (name) => isTrainable(name, config);
  const numLayers = numLayersOf(config, vlmConfig);
  const frozenLayers = (config.numExpertLayers ?? numLayers) === numLayers ? 1 : 2;
  const frozen = [
    "vlm.finalNorm.",
    ...Array.from({ length: frozenLayers }, (_, i) => `vlm.layers.${numLayers - 1 - i}.`),
  ];
  return (name) => isTrainable(name, config) && !frozen.some((start) => name.startsWith(start));
}

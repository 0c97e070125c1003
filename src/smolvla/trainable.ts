import type { SmolVLAConfig } from "./config.js";

/** The settings of a policy that decide what of it is trained. */
export type TrainableSettings = Pick<SmolVLAConfig, "trainExpertOnly" | "freezeVisionEncoder" | "trainStateProj">;

/**
 * Whether training changes a parameter, as in LeRobot up to 0.5:
 *
 * - the action expert and its projections always, but the state projection only with `train_state_proj`;
 * - the vision-language model only without `train_expert_only`, and then its vision tower only without
 *   `freeze_vision_encoder`, and its unused output head never.
 *
 * LeRobot from 0.6 on also freezes the last language layer and the last norm there: they have no part in the loss.
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

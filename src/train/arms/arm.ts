import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import type { SettledTrainConfig } from "../config-preset.js";
import type { TrainedParameters } from "../update-parameters.js";

/** One of several students that are trained side by side on the same data, noises and times. */
export interface Arm extends TrainedParameters {
  readonly name: string;
  /** of the run that it equals */
  readonly config: SettledTrainConfig & { readonly seed: number };
  readonly policy: SmolVLAPolicy;
  /** the learning rate of a step, counted from 0 */
  readonly schedule: (step: number) => number;
  /** whether images and language look to it as they look to the objective's own student */
  readonly sharesContext: boolean;
}

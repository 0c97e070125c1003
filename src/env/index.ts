/** Built-in worlds to drive policies in, and measures of how many ways they take. Nothing here needs libtorch. */

export { Avoiding } from "./avoiding/avoiding.js";
export type { AvoidingOptions } from "./avoiding/avoiding-options.js";
export { type Demonstration, type DemonstrationRequest, demonstrate } from "./avoiding/demonstrate.js";
export { AVOIDING_MODES } from "./avoiding/mode-recorder.js";
export {
  type Picture,
  renderTrajectories,
  type Trajectory,
  type TrajectoryPictureOptions,
} from "./avoiding/render-trajectories.js";
export type { Point } from "./avoiding/scene.js";
export type {
  Environment,
  EnvironmentCamera,
  EnvironmentFeatures,
  Observation,
  StepResult,
} from "./environment.js";
export { makeDemonstration } from "./make-demonstration.js";
export { ENVIRONMENT_TYPES, makeEnvironment } from "./make-environment.js";
export { countModes, type EpisodeOutcome, type ModeCounts } from "./measures/count-modes.js";
export { type ModeDistance, modeDistance } from "./measures/mode-distance.js";
export { entropyCeiling, type ModeEntropy, modeEntropy } from "./measures/mode-entropy.js";

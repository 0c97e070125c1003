/** Objectives on the fixture's policies, with noise and times that were recorded. */
import { euler, l2, uniformGrid } from "../../src/flow/index.js";
import { toTargetActions } from "../../src/policy/model-input.js";
import type { SmolVLAConfig } from "../../src/smolvla/config.js";
import type { SmolVLA } from "../../src/smolvla/smolvla.js";
import type { Tensor } from "../../src/torch/index.js";
import { demonstrations } from "../../src/train/couplings/demonstrations.js";
import type { TeacherOptions } from "../../src/train/couplings/teacher.js";
import type { StepLoss, TrainingBatch } from "../../src/train/objectives/objective.js";
import { VelocityMatching } from "../../src/train/objectives/velocity-matching.js";

/** The loss of flow matching at a given noise `[B, A, M]` and time `[B]`. */
export function flowMatchingLoss(
  model: SmolVLA,
  config: SmolVLAConfig,
  { input, arrays }: Pick<TrainingBatch, "input" | "arrays">,
  { noise, time }: { readonly noise: Tensor; readonly time: Tensor },
): StepLoss {
  const objective = new VelocityMatching({
    name: "flow_matching",
    model,
    device: "cpu",
    coupling: demonstrations(config, "cpu", 1),
    times: () => time,
    loss: { distance: l2 },
    hasFrozenContext: false,
  });
  return objective.lossOf({ input, context: undefined, noise, actions: toTargetActions(arrays, config, "cpu"), time });
}

/** A teacher that is asked as policies are deployed: Euler's method, equal steps, one noise per observation. */
export const teacherOf = (
  teacher: SmolVLA,
  config: SmolVLAConfig,
  changes: Partial<TeacherOptions> = {},
): TeacherOptions => ({
  teacher,
  config,
  device: "cpu",
  sharesContext: true,
  solver: euler,
  grid: uniformGrid,
  numSteps: 10,
  paddedDims: "teacher",
  numNoises: 1,
  ...changes,
});

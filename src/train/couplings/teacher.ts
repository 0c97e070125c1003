import { type Grid, type Solver, sampleNoise, solve, type VelocityField } from "../../flow/index.js";
import { toModelInput } from "../../policy/model-input.js";
import { actionDim, type SmolVLAConfig } from "../../smolvla/config.js";
import { repeatPrefix, selectPrefix } from "../../smolvla/repeat-prefix.js";
import type { SmolVLA } from "../../smolvla/smolvla.js";
import type { Context } from "../../smolvla/vision-language-model.js";
import { constantPad, noGrad, scope, slice, type Tensor, toDevice } from "../../torch/index.js";
import type { TrainingBatch } from "../objectives/objective.js";
import type { Coupling } from "./coupling.js";

/**
 * What a student learns in the action dimensions that the robot does not have:
 *
 * - `teacher`: the teacher's own output there, like any other dimension. Student and teacher agree in the full width at
 *   every number of steps.
 * - `zero`: 0, the value that ordinary flow matching trains towards. For teachers whose padded output is untrained
 *   (LeRobot 0.5.1 and later mask it out of the loss).
 * - `mask`: nothing; the loss looks at real dimensions alone. The padded part of the student's path is then untrained, so
 *   only one-step sampling is certain to be consistent.
 */
export type PaddedDims = "teacher" | "zero" | "mask";

export interface TeacherOptions {
  readonly teacher: SmolVLA;
  /** the teacher's */
  readonly config: SmolVLAConfig;
  readonly device: string;
  /** whether the student looks through the very same vision-language model, so that its context is the teacher's too */
  readonly sharesContext: boolean;
  readonly solver: Solver;
  readonly grid: Grid;
  readonly numSteps: number;
  readonly paddedDims: PaddedDims;
  /** noises per observation */
  readonly numNoises: number;
}

/** What of a batch a teacher looks at. */
export type Observations = Pick<TrainingBatch, "input" | "arrays">;

/**
 * Noises and the actions that a teacher's flow carries them to, for the same observation: the coupling of reflow. Noise
 * fills the whole padded width. All steps of a chunk count: a generated chunk has no padding.
 *
 * Reference: Liu et al. 2022, arXiv:2209.03003, section 2.2; the paper's t is `1 - time`.
 */
export function teacherPairs(options: TeacherOptions): Coupling {
  const { config, device, numNoises } = options;
  return {
    numNoises,
    couple: (batch, context, generator) => {
      const numRows = batch.tasks.length * numNoises;
      const noise = toDevice(sampleNoise([numRows, config.chunkSize, config.maxActionDim], generator), device);
      return { noise, actions: carryNoise(options, batch, context, noise) };
    },
    dispose: () => {},
  };
}

/** Where the teacher's flow carries noise `[B * N, A, M]`, with the rule for padded dimensions applied. */
export function carryNoise(
  options: TeacherOptions,
  batch: Observations,
  context: Context | undefined,
  noise: Tensor,
): Tensor {
  const { config, paddedDims } = options;
  const actions = noGrad(() =>
    scope(() => {
      const field = teacherField(options, batch, context);
      return solve(options.solver, field, noise, options.numSteps, options.grid);
    }),
  );
  if (paddedDims !== "zero") return actions;
  const numReal = actionDim(config);
  return constantPad(slice(actions, -1, 0, numReal), [0, config.maxActionDim - numReal], 0);
}

/**
 * The teacher's velocity for a batch, each observation N times in a row. Call it without gradients.
 *
 * @param rows of those, int64; all if left out
 */
export function teacherField(
  { teacher, config, device, sharesContext, numNoises }: TeacherOptions,
  batch: Observations,
  context: Context | undefined,
  rows?: Tensor,
): VelocityField {
  const once =
    sharesContext && context !== undefined
      ? teacher.extendContext(context, batch.input.state)
      : teacher.encodePrefix(toModelInput(batch.arrays, config, device));
  const all = repeatPrefix(once, numNoises);
  const prefix = rows === undefined ? all : selectPrefix(all, rows);
  return (x, time) => teacher.velocity(prefix, x, time);
}

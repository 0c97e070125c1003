import {
  euler,
  interpolate,
  type Solver,
  sampleNoise,
  sampleTime,
  solve,
  type TimeLaw,
  velocityLoss,
  velocityTarget,
} from "../../flow/index.js";
import { actionDim, type SmolVLAConfig } from "../../smolvla/config.js";
import type { ModelInput, SmolVLA } from "../../smolvla/smolvla.js";
import type { Context } from "../../smolvla/vision-language-model.js";
import { constantPad, noGrad, scope, slice, type Tensor, toDevice } from "../../torch/index.js";
import type { Objective } from "./objective.js";

/**
 * What the student learns in the action dimensions that the robot does not have:
 *
 * - `teacher`: the teacher's own output there, like any other dimension. Student and teacher agree in the full width at
 *   every number of steps.
 * - `zero`: 0, the value that ordinary flow matching trains towards. For teachers whose padded output is untrained
 *   (LeRobot 0.5.1 and later mask it out of the loss).
 * - `mask`: nothing; the loss looks at real dimensions alone. The padded part of the student's path is then untrained, so
 *   only one-step sampling is certain to be consistent.
 */
export type PaddedDims = "teacher" | "zero" | "mask";

export interface ReflowOptions {
  readonly teacher: SmolVLA;
  /** shares the teacher's vision-language model; its expert is what is trained */
  readonly student: SmolVLA;
  /** the teacher's */
  readonly config: SmolVLAConfig;
  readonly device: string;
  readonly timeLaw: TimeLaw;
  /** share of samples at time 1 exactly, the only time that a one-step policy sees; 0 if left out */
  readonly shareAtNoise?: number;
  /** how the teacher's flow is solved; Euler, as policies are deployed, if left out */
  readonly solver?: Solver;
  /** solver steps of the teacher */
  readonly numTeacherSteps: number;
  readonly paddedDims: PaddedDims;
}

/**
 * Reflow (2-RF and beyond): flow matching on pairs of a noise and the actions that the teacher's flow carries it to, for
 * the same observation. The pairs are deterministic, so their lines hardly cross and the new flow is straighter.
 *
 * Noise fills the whole padded width and is the same tensor for teacher and student. Images and language are encoded once
 * for both; the state's row twice, because the state projection is trained. All steps of a chunk count: a generated chunk
 * has no padding.
 *
 * Reference: Liu et al. 2022, arXiv:2209.03003, algorithm 1 with the reflow step; the paper's t is `1 - time`.
 */
export function reflow(options: ReflowOptions): Objective {
  const { student, config, device, timeLaw, paddedDims } = options;
  return {
    name: "reflow",
    draw: (batchSize, generator) => ({
      noise: sampleNoise([batchSize, config.chunkSize, config.maxActionDim], generator),
      time: sampleTime(timeLaw, batchSize, generator, options.shareAtNoise),
    }),
    loss: ({ input }, draw) => {
      const [noise, time] = [toDevice(draw.noise, device), toDevice(draw.time, device)];
      const context = noGrad(() => scope(() => student.encodeContext(input)));
      const actions = targetActions(teacherActions(options, context, input, noise), config, paddedDims);
      const prefix = student.extendContext(context, input.state);
      const predicted = student.velocity(prefix, interpolate(noise, actions, time), time);
      return velocityLoss(
        predicted,
        velocityTarget(noise, actions),
        paddedDims === "mask" ? actionDim(config) : undefined,
      );
    },
  };
}

/** Where the teacher's flow carries the noise: `[B, A, M]` in the full width, without gradients. */
export function teacherActions(
  { teacher, solver = euler, numTeacherSteps }: Pick<ReflowOptions, "teacher" | "solver" | "numTeacherSteps">,
  context: Context,
  input: ModelInput,
  noise: Tensor,
): Tensor {
  return noGrad(() =>
    scope(() => {
      const prefix = teacher.extendContext(context, input.state);
      return solve(solver, (x, time) => teacher.velocity(prefix, x, time), noise, numTeacherSteps);
    }),
  );
}

function targetActions(actions: Tensor, config: SmolVLAConfig, paddedDims: PaddedDims): Tensor {
  if (paddedDims !== "zero") return actions;
  const numReal = actionDim(config);
  return constantPad(slice(actions, -1, 0, numReal), [0, config.maxActionDim - numReal], 0);
}

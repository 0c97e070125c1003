import { ConfigError } from "../../support/errors.js";
import type { Tensor } from "../../torch/index.js";
import type { VelocityField } from "../velocity-field.js";

/** A method that carries noise (time 1) along a velocity field to actions (time 0), or back. */
export interface Solver {
  readonly name: string;
  /** The error shrinks with the step size to this power. */
  readonly order: number;
  /** Evaluations of the field for one solve. */
  readonly numEvaluations: (numSteps: number) => number;
  /**
   * One step from `time` to `time + step`, out of place. The step is negative towards actions, positive towards noise.
   *
   * @param x `[B, A, M]`
   * @param velocityAt the field at a point and a time
   */
  readonly step: (velocityAt: (x: Tensor, time: number) => Tensor, x: Tensor, time: number, step: number) => Tensor;
}

/**
 * Whether a step ends at time 0, which flow matching never trains. The rest of time is compared with the step, because
 * `1 - k / n - 1 / n` is 0 only to rounding; a shorter step further on would leave a far greater rest.
 */
export const endsAtActions = (time: number, step: number): boolean => time + step < 1e-6 * Math.abs(step);

/** No policy is asked for more, and no machine is done with them in a day. */
const MOST_STEPS = 10_000;

/** @throws ConfigError unless the number is a whole one from 1 to `MOST_STEPS` */
export function expectNumSteps(where: string, numSteps: number): void {
  if (!Number.isSafeInteger(numSteps) || numSteps < 1) {
    throw new ConfigError(where, `expected numSteps to be an integer of at least 1, got ${numSteps}`);
  }
  if (numSteps > MOST_STEPS) {
    throw new ConfigError(where, `expected numSteps to be at most ${MOST_STEPS}, got ${numSteps}`);
  }
}

export type { VelocityField };

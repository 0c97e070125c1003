import { ConfigError } from "../../support/errors.js";
import type { Tensor } from "../../torch/index.js";
import type { VelocityField } from "../velocity-field.js";

/** A method that carries noise (time 1) along a velocity field to actions (time 0). */
export interface Solver {
  readonly name: string;
  /** The error shrinks with the step size to this power. */
  readonly order: number;
  /** Evaluations of the field for one solve. */
  readonly numEvaluations: (numSteps: number) => number;
  /**
   * One step from `time` to `time + step` (step is negative), out of place.
   *
   * @param x `[B, A, M]`
   * @param velocityAt the field at a point and a time
   */
  readonly step: (velocityAt: (x: Tensor, time: number) => Tensor, x: Tensor, time: number, step: number) => Tensor;
}

/** @throws ConfigError unless the number is a whole one of at least 1 */
export function expectNumSteps(where: string, numSteps: number): void {
  if (!Number.isSafeInteger(numSteps) || numSteps < 1) {
    throw new ConfigError(where, `expected numSteps to be an integer of at least 1, got ${numSteps}`);
  }
}

export type { VelocityField };

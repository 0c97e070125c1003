import { add, mulScalar, scope, type Tensor } from "../../torch/index.js";
import { expectNumber } from "../expect-number.js";
import { type Grid, uniformGrid } from "./grid.js";
import { expectNumSteps, type Solver, type VelocityField } from "./solver.js";
import { velocityAtOf } from "./velocity-at.js";
import { walk } from "./walk.js";

export interface InvertOptions {
  /** of the steps between the start time and 1, walked backwards; uniform if left out */
  readonly grid?: Grid;
  /** the first time at which the field is asked, above 0 and below 1; 0.001, the smallest in training, if left out */
  readonly startTime?: number;
}

/**
 * The noise that a velocity field carries to the given actions: integrates it from time 0 up to time 1. With the actions
 * of a demonstration this makes an inverted pair, whose actions are real and whose noise is the one that this flow would
 * reach them from.
 *
 * Time 0 is not trained, so one Euler step with the velocity found at the start time leads there,
 * `x = actions + startTime * velocity(actions, startTime)`; the solver takes its steps from there to 1. That is one
 * evaluation more than all of the solver's steps, of which none ends at time 0 here, so that none is an exception.
 *
 * The padded part of actions is 0 whatever the noise was, so nothing can be inverted there: see `holdPadding`. Whether a
 * result is a noise at all is for `checkInversion` to say.
 *
 * @param actions `[B, A, M]`
 * @returns noise, `[B, A, M]`
 * @throws ConfigError if `numSteps` is not a whole number of at least 1, or the start time not between 0 and 1
 * @throws ShapeError if the field returns a velocity of another shape than the point it was asked about
 *
 * Reference: Lee et al. 2024, arXiv:2405.20320, who train on such pairs of real data too.
 */
export function invert(
  solver: Solver,
  field: VelocityField,
  actions: Tensor,
  numSteps: number,
  { grid = uniformGrid, startTime = 0.001 }: InvertOptions = {},
): Tensor {
  expectNumSteps("flow.invert", numSteps);
  expectNumber("flow.invert", "startTime", startTime, startTime > 0 && startTime < 1, "above 0 and below 1");
  const velocityAt = velocityAtOf("flow.invert", field);
  const steps = Array.from({ length: numSteps }, (_, k) => {
    const { time, step } = grid.interval(numSteps - 1 - k, numSteps);
    const length = 1 - startTime;
    return { time: startTime + length * (time + step), step: -length * step };
  });
  const start = scope(() => add(actions, mulScalar(velocityAt(actions, startTime), startTime)));
  try {
    return walk(start, steps, (x, { time, step }) => solver.step(velocityAt, x, time, step));
  } finally {
    start.dispose();
  }
}

import type { Tensor } from "../../torch/index.js";
import { type Grid, uniformGrid } from "./grid.js";
import { expectNumSteps, type Solver, type VelocityField } from "./solver.js";
import { velocityAtOf } from "./velocity-at.js";
import { walk } from "./walk.js";

/**
 * Integrates a velocity field from noise at time 1 to actions at time 0, in equal steps (times 1, 1 - 1/n, …, 1/n) or on
 * another grid. The noise itself is never written to.
 *
 * @param noise `[B, A, M]`
 * @returns actions, `[B, A, M]`
 * @throws ConfigError if `numSteps` is not a whole number of at least 1
 * @throws ShapeError if the field returns a velocity of another shape than the point it was asked about
 */
export function solve(
  solver: Solver,
  field: VelocityField,
  noise: Tensor,
  numSteps: number,
  grid: Grid = uniformGrid,
): Tensor {
  const where = `flow.${solver.name}`;
  expectNumSteps(where, numSteps);
  const velocityAt = velocityAtOf(where, field);
  const intervals = Array.from({ length: numSteps }, (_, k) => grid.interval(k, numSteps));
  return walk(noise, intervals, (x, { time, step }) => solver.step(velocityAt, x, time, step));
}

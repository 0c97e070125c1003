import { ShapeError } from "../../support/errors.js";
import { full, scope, type Tensor } from "../../torch/index.js";
import { expectNumSteps, type Solver, type VelocityField } from "./solver.js";

/**
 * Integrates a velocity field from noise at time 1 to actions at time 0 in equal steps: times 1, 1 - 1/n, …, 1/n.
 * The noise itself is never written to.
 *
 * @param noise `[B, A, M]`
 * @returns actions, `[B, A, M]`
 * @throws ConfigError if `numSteps` is not a whole number of at least 1
 * @throws ShapeError if the field returns a velocity of another shape than the point it was asked about
 */
export function solve(solver: Solver, field: VelocityField, noise: Tensor, numSteps: number): Tensor {
  expectNumSteps(`flow.${solver.name}`, numSteps);
  const batchSize = noise.size(0);
  const velocityAt = (x: Tensor, time: number): Tensor => {
    const velocity = field(x, full([batchSize], time, "float32", undefined, noise.device));
    if (velocity.shape.join() === x.shape.join()) return velocity;
    throw new ShapeError(
      `flow.${solver.name}: expected the field to return a velocity of shape [${x.shape.join(", ")}], got [${velocity.shape.join(", ")}]`,
    );
  };
  let x = noise;
  for (let k = 0; k < numSteps; k++) {
    const current = x;
    try {
      x = scope(() => solver.step(velocityAt, current, 1 - k / numSteps, -1 / numSteps));
    } finally {
      if (current !== noise) current.dispose();
    }
  }
  return x;
}

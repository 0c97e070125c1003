import { ShapeError } from "../../support/errors.js";
import { add, mulScalar, scope, type Tensor } from "../../torch/index.js";
import { expectNumber } from "../expect-number.js";

/**
 * `sqrt(1 - beta^2) * noise + beta * fresh`: standard normal whatever beta is, and the less tied to a pair's actions the
 * greater beta. At 0 it is the pair's own noise bit for bit (reflow), at 1 the fresh one (flow matching on the teacher's
 * actions). For students that do not begin as copies of their teacher.
 *
 * @param noise `[B, A, M]`, the noise of the pairs
 * @param fresh `[B, A, M]`, independent standard normal noise
 * @param beta from 0 to 1
 * @throws ShapeError if the shapes differ, ConfigError for a beta out of range
 *
 * Reference: Zhu et al. 2024, arXiv:2407.12718 (SlimFlow), annealing reflow.
 */
export function annealNoise(noise: Tensor, fresh: Tensor, beta: number): Tensor {
  expectNumber("flow.annealNoise", "beta", beta, beta >= 0 && beta <= 1, "a number from 0 to 1");
  if (noise.shape.join() !== fresh.shape.join()) {
    throw new ShapeError(
      `flow.annealNoise: expected noises of one shape, got [${noise.shape.join(", ")}] and [${fresh.shape.join(", ")}]`,
    );
  }
  return scope(() => add(mulScalar(noise, Math.sqrt(1 - beta ** 2)), mulScalar(fresh, beta)));
}

/**
 * Beta of a step, falling in a line from 1 at step 0 to 0 at step `numSteps` and after it.
 *
 * @param step steps done so far
 * @param numSteps length of the ramp; 0 for none
 */
export const annealingBeta = (step: number, numSteps: number): number => (step >= numSteps ? 0 : 1 - step / numSteps);

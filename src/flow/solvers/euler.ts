import { add, mulScalar } from "../../torch/index.js";
import type { Solver } from "./solver.js";

/**
 * Forward Euler: `x <- x + step * velocity(x, time)`. Order 1, one evaluation a step, never evaluates at time 0.
 *
 * What SmolVLA is deployed with. Exact in one step if every path is straight.
 */
export const euler: Solver = {
  name: "euler",
  order: 1,
  numEvaluations: (numSteps) => numSteps,
  step: (velocityAt, x, time, step) => add(x, mulScalar(velocityAt(x, time), step)),
};

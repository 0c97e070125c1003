import { add, mulScalar } from "../../torch/index.js";
import type { Solver } from "./solver.js";

/**
 * The midpoint method: an Euler step by the velocity found half an Euler step ahead. Order 2, two evaluations a step.
 *
 * Unlike Heun's method it never looks at the far end of a step, so that its last step needs no exception for time 0.
 */
export const midpoint: Solver = {
  name: "midpoint",
  order: 2,
  numEvaluations: (numSteps) => 2 * numSteps,
  step: (velocityAt, x, time, step) => {
    const halfway = add(x, mulScalar(velocityAt(x, time), step / 2));
    return add(x, mulScalar(velocityAt(halfway, time + step / 2), step));
  },
};

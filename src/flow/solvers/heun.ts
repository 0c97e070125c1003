import { add, mulScalar } from "../../torch/index.js";
import { endsAtActions, type Solver } from "./solver.js";

/**
 * Heun's method: the mean of the velocities at both ends of an Euler step. Order 2, two evaluations a step.
 *
 * Its last evaluation would be at time 0, which flow matching never trains; the last step is therefore an Euler step.
 */
export const heun: Solver = {
  name: "heun",
  order: 2,
  numEvaluations: (numSteps) => 2 * numSteps - 1,
  step: (velocityAt, x, time, step) => {
    const first = velocityAt(x, time);
    const reached = add(x, mulScalar(first, step));
    if (endsAtActions(time, step)) return reached;
    return add(x, mulScalar(add(first, velocityAt(reached, time + step)), step / 2));
  },
};

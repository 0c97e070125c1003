import { add, mulScalar, type Tensor } from "../../torch/index.js";
import { endsAtActions, type Solver } from "./solver.js";

/**
 * The classical Runge-Kutta method. Order 4, four evaluations a step. For reference solutions.
 *
 * Its last evaluation would be at time 0, which flow matching never trains; the last step is therefore one of Ralston's
 * third-order method, which looks no further than three quarters ahead. One such step leaves the order at 4.
 *
 * Reference: Ralston 1962, Runge-Kutta methods with minimum error bounds, Math. Comp. 16.
 */
export const rk4: Solver = {
  name: "rk4",
  order: 4,
  numEvaluations: (numSteps) => 4 * numSteps - 1,
  step: (velocityAt, x, time, step) => {
    /** The velocity at a fraction of the step, reached along `slope`. */
    const ahead = (slope: Tensor, fraction: number): Tensor =>
      velocityAt(add(x, mulScalar(slope, fraction * step)), time + fraction * step);
    const k1 = velocityAt(x, time);
    const k2 = ahead(k1, 1 / 2);
    if (endsAtActions(time, step)) {
      const k3 = ahead(k2, 3 / 4);
      return add(x, mulScalar(weighted([k1, 2], [k2, 3], [k3, 4]), step / 9));
    }
    const k3 = ahead(k2, 1 / 2);
    const k4 = ahead(k3, 1);
    return add(x, mulScalar(weighted([k1, 1], [k2, 2], [k3, 2], [k4, 1]), step / 6));
  },
};

const weighted = (...terms: readonly (readonly [slope: Tensor, weight: number])[]): Tensor =>
  terms.map(([slope, weight]) => mulScalar(slope, weight)).reduce((sum, term) => add(sum, term));

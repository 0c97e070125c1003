import { describe, expect, it } from "vitest";
import { SOLVERS, type Solver, solve, type VelocityField } from "../../src/flow/index.js";
import { addScalar, mul, mulScalar, reshape, scope, square, tensor } from "../../src/torch/index.js";
import { gaussianField } from "./gaussian-field.js";

/** Powers of two, so that every time is exact in float32. */
const STEPS = [8, 16, 32, 64];

/** The power of the step size with which the error shrinks, from the two finest grids. */
function slope(solver: Solver, field: VelocityField, noise: number[], exact: number[]): number {
  const errors = STEPS.map((numSteps) =>
    scope(() => {
      const actions = solve(solver, field, tensor(noise, [noise.length, 1, 1], "float64"), numSteps).toNumbers();
      return Math.max(...actions.map((action, i) => Math.abs(action - exact[i]!)));
    }),
  );
  return Math.log2(errors.at(-2)! / errors.at(-1)!);
}

describe.each(SOLVERS)("the error of $name", (solver) => {
  it(`shrinks with order ${solver.order} on a nonlinear field`, () => {
    // dx/dtime = x^2 (1 + time) / 2, so 1/x(0) = 1/x(1) + 3/4.
    const field: VelocityField = (x, time) => mul(square(x), mulScalar(addScalar(reshape(time, [-1, 1, 1]), 1), 0.5));
    const noise = [0.3, 0.5, 1];
    const exact = noise.map((x) => 1 / (1 / x + 0.75));
    expect(Math.abs(slope(solver, field, noise, exact) - solver.order)).toBeLessThan(0.2);
  });

  it("shrinks at least with that order on the field of a Gaussian", () => {
    const noise = [-1.2, 0.4, 2];
    const exact = noise.map((x) => 0.3 + 0.8 * x);
    expect(slope(solver, gaussianField(0.3, 0.8), noise, exact)).toBeGreaterThan(solver.order - 0.2);
  });
});

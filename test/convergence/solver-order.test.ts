import { describe, expect, it } from "vitest";
import { GRIDS, type Grid, SOLVERS, type Solver, solve, type VelocityField } from "../../src/flow/index.js";
import { addScalar, mul, mulScalar, reshape, scope, square, tensor } from "../../src/torch/index.js";
import { gaussianField } from "./gaussian-field.js";

/** The power of 1 / steps with which the error shrinks. Powers of two make every time exact in float32, squared or not. */
function orderOf(
  { solver, grid }: Method,
  field: VelocityField,
  noise: number[],
  exact: number[],
  finest: number,
): number {
  const errorAt = (numSteps: number): number =>
    scope(() => {
      const start = tensor(noise, [noise.length, 1, 1], "float64");
      const actions = solve(solver, field, start, numSteps, grid).toNumbers();
      return Math.max(...actions.map((action, i) => Math.abs(action - exact[i]!)));
    });
  return Math.log2(errorAt(finest / 2) / errorAt(finest));
}

interface Method {
  readonly solver: Solver;
  readonly grid: Grid;
}

const METHODS = SOLVERS.flatMap((solver) =>
  GRIDS.map((grid) => ({ solver, grid, name: `${solver.name} on the ${grid.name} grid`, order: solver.order })),
);

describe.each(METHODS)("the error of $name", ({ order, ...method }) => {
  it(`shrinks with order ${order} on a nonlinear field`, () => {
    // dx/dtime = x^2 (1 + time) / 2, so 1/x(0) = 1/x(1) + 3/4.
    const field: VelocityField = (x, time) => mul(square(x), mulScalar(addScalar(reshape(time, [-1, 1, 1]), 1), 0.5));
    // From 1 the leading error of rk4 on the data-dense grid changes its sign at about these numbers of steps.
    const noise = [0.2, 0.3, 0.5];
    const exact = noise.map((x) => 1 / (1 / x + 0.75));
    expect(Math.abs(orderOf(method, field, noise, exact, 64) - order)).toBeLessThan(0.2);
  });

  it.each([0.8, 0.1])("shrinks at least with that order on the field of a Gaussian of spread %d", (std) => {
    const noise = [-1.2, 0.4, 2];
    const exact = noise.map((x) => 0.3 + std * x);
    expect(orderOf(method, gaussianField(0.3, std), noise, exact, std < 0.5 ? 256 : 64)).toBeGreaterThan(order - 0.2);
  });
});

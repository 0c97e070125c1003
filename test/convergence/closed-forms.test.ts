import { describe, expect, it } from "vitest";
import {
  dataDenseGrid,
  euler,
  type Grid,
  heun,
  midpoint,
  rk4,
  type Solver,
  sampleNoise,
  solve,
  uniformGrid,
} from "../../src/flow/index.js";
import { add, Generator, mulScalar, scope, tensor, toDtype } from "../../src/torch/index.js";
import { gaussianField, twoModesField } from "./gaussian-field.js";

/** The fraction of the actions' spread that a solver returns, with nothing of ours in it. */
const SCALAR_STEPS: Record<string, (f: (x: number, t: number) => number, x: number, t: number, h: number) => number> = {
  euler: (f, x, t, h) => x + h * f(x, t),
  midpoint: (f, x, t, h) => x + h * f(x + (h / 2) * f(x, t), t + h / 2),
  heun: (f, x, t, h) => {
    const k1 = f(x, t);
    return t + h > 1 - 1e-9 ? x + h * k1 : x + (h / 2) * (k1 + f(x + h * k1, t + h));
  },
  rk4: (f, x, t, h) => {
    const k1 = f(x, t);
    const k2 = f(x + (h / 2) * k1, t + h / 2);
    if (t + h > 1 - 1e-9) return x + (h / 9) * (2 * k1 + 3 * k2 + 4 * f(x + 0.75 * h * k2, t + 0.75 * h));
    const k3 = f(x + (h / 2) * k2, t + h / 2);
    return x + (h / 6) * (k1 + 2 * k2 + 2 * k3 + f(x + h * k3, t + h));
  },
};

function scalarSpread(solver: string, std: number, numSteps: number): number {
  const slope = (x: number, t: number): number => ((t * std ** 2 - (1 - t)) / ((1 - t) ** 2 + t ** 2 * std ** 2)) * x;
  let x = 1;
  for (let k = 0; k < numSteps; k++) x = SCALAR_STEPS[solver]!(slope, x, k / numSteps, 1 / numSteps);
  return x / std;
}

/** The spread of a solver of ours on the field of a Gaussian. */
const spread = (solver: Solver, std: number, numSteps: number, grid?: Grid): number =>
  scope(() => {
    const noise = tensor([-1, 1], [2, 1, 1], "float64");
    const [low, high] = solve(solver, gaussianField(0, std), noise, numSteps, grid).toNumbers();
    return (high! - low!) / 2 / std;
  });

/** Heun's method without the exception for its last evaluation, at time 0, where this field is known and a network's is not. */
const textbookHeun: Solver = {
  ...heun,
  step: (velocityAt, x, time, step) => {
    const first = velocityAt(x, time);
    const second = velocityAt(add(x, mulScalar(first, step)), time + step);
    return add(x, mulScalar(add(first, second), step / 2));
  },
};

describe("the flow of a Gaussian", () => {
  // Fractions of the spread that Euler's method returns, to three digits: closed form, s by number of steps.
  const EULER_STEPS = [1, 2, 5, 10, 20, 50, 100];
  const EULER_SPREAD: [number, number[]][] = [
    [1.0, [0, 0.5, 0.771, 0.879, 0.938, 0.975, 0.987]],
    [0.5, [0, 0.4, 0.738, 0.862, 0.928, 0.971, 0.985]],
    [0.3, [0, 0.275, 0.666, 0.823, 0.908, 0.962, 0.981]],
    [0.2, [0, 0.192, 0.569, 0.771, 0.88, 0.95, 0.975]],
    [0.1, [0, 0.099, 0.36, 0.617, 0.796, 0.914, 0.956]],
    [0.05, [0, 0.05, 0.194, 0.398, 0.639, 0.844, 0.919]],
  ];
  it.each(EULER_SPREAD)("keeps under Euler the fraction of a spread of %d that the closed form gives", (std, row) => {
    const ours = EULER_STEPS.map((numSteps) => spread(euler, std, numSteps));
    for (const [i, value] of row.entries()) expect(Math.abs(ours[i]! - value)).toBeLessThan(6e-4);
  });

  const others = [midpoint, heun, rk4].flatMap((solver) =>
    [1, 0.3, 0.1].map((std) => ({ solver, name: solver.name, std })),
  );
  it.each(others)("keeps under $name the fraction of a spread of $std that plain numbers give", ({ solver, std }) => {
    for (const numSteps of [1, 2, 5, 10, 20, 50]) {
      expect(spread(solver, std, numSteps)).toBeCloseTo(scalarSpread(solver.name, std, numSteps), 6);
    }
  });

  it.each([heun, midpoint, rk4])("is nearly exact under $name with 100 evaluations and a moderate spread", (solver) => {
    const numSteps = solver === rk4 ? 25 : 50;
    for (const std of [1, 0.5, 0.3]) expect(Math.abs(spread(solver, std, numSteps) - 1)).toBeLessThan(3e-3);
  });

  // Fractions of a spread of 0.1 on both grids: closed form.
  it.each([
    { name: "10 Euler steps", solver: euler, numSteps: 10, uniform: 0.617, dense: 0.816 },
    { name: "10 textbook Heun steps", solver: textbookHeun, numSteps: 10, uniform: 1.083, dense: 1.045 },
    { name: "20 textbook Heun steps", solver: textbookHeun, numSteps: 20, uniform: 1.025, dense: 1.011 },
    { name: "10 Heun steps, the last Euler's,", solver: heun, numSteps: 10, uniform: 0.696, dense: 1.04 },
    { name: "20 Heun steps, the last Euler's,", solver: heun, numSteps: 20, uniform: 0.906, dense: 1.011 },
    { name: "10 midpoint steps", solver: midpoint, numSteps: 10, uniform: 0.988, dense: 0.997 },
  ])("keeps under $name $uniform of a spread of 0.1, and $dense on the data-dense grid", (row) => {
    expect(Math.abs(spread(row.solver, 0.1, row.numSteps, uniformGrid) - row.uniform)).toBeLessThan(1e-3);
    expect(Math.abs(spread(row.solver, 0.1, row.numSteps, dataDenseGrid) - row.dense)).toBeLessThan(1e-3);
  });

  it("becomes its mean, and nothing else, in one Euler step", () => {
    const actions = solve(euler, gaussianField(0.7, 0.3), tensor([-2, 0, 3], [3, 1, 1], "float64"), 1).toNumbers();
    for (const action of actions) expect(action).toBeCloseTo(0.7, 12);
  });

  it("ends at mean + spread * noise", () => {
    const noise = [-2, -0.3, 0, 1.5];
    const actions = solve(rk4, gaussianField(-0.4, 0.6), tensor(noise, [4, 1, 1], "float64"), 64).toNumbers();
    for (const [i, action] of actions.entries()) expect(action).toBeCloseTo(-0.4 + 0.6 * noise[i]!, 6);
  });
});

describe("the flow of two modes", () => {
  const numSamples = 20_000;
  const noise = toDtype(sampleNoise([numSamples, 1, 1], new Generator(0)), "float64");
  const exactBy = new Map(
    [1, 2].map((c) => [c, scope(() => solve(midpoint, twoModesField(c, 0.1), noise, 200).toNumbers())]),
  );
  // Relative endpoint error (root mean square) and share of actions between the modes, |a| < centre / 2.
  it.each([
    [1, 1, 1.0, 1.0],
    [1, 2, 0.48, 0.42],
    [1, 3, 0.24, 0.13],
    [1, 5, 0.09, 0.019],
    [1, 10, 0.035, 0.0006],
    [1, 100, 0.004, 0],
    [2, 1, 1.0, 1.0],
    [2, 2, 0.36, 0.22],
    [2, 3, 0.12, 0.03],
    [2, 5, 0.035, 0.0011],
    [2, 10, 0.018, 0],
    [2, 100, 0.002, 0],
  ])(
    "with modes at ±%d and %d Euler steps has a relative error of %d and a share of %d in between",
    (c, n, error, share) => {
      const actions = scope(() => solve(euler, twoModesField(c, 0.1), noise, n).toNumbers());
      const exact = exactBy.get(c)!;
      const squared = actions.reduce((sum, a, i) => sum + (a - exact[i]!) ** 2, 0);
      const relative = Math.sqrt(squared / exact.reduce((sum, a) => sum + a ** 2, 0));
      // Rounding of the listed figures, and what 20 000 samples leave to chance.
      expect(Math.abs(relative - error)).toBeLessThan((error >= 0.1 ? 0.005 : 0.0006) + 0.05 * error);
      const between = actions.filter((a) => Math.abs(a) < c / 2).length / numSamples;
      expect(Math.abs(between - share)).toBeLessThan(
        0.0004 + 0.02 * share + 4 * Math.sqrt((share * (1 - share)) / numSamples),
      );
    },
  );

  it("lets the sign of the noise pick the mode", () => {
    const actions = solve(midpoint, twoModesField(1, 0.1), tensor([-1.5, -0.2, 0.2, 1.5], [4, 1, 1], "float64"), 400);
    expect(actions.toNumbers().map(Math.sign)).toEqual([-1, -1, 1, 1]);
  });
});

/** Noise found back from actions, on the flow of a Gaussian, whose actions are `mean + std * noise`. */
import { describe, expect, it } from "vitest";
import {
  checkInversion,
  dataDenseGrid,
  GRIDS,
  heun,
  holdPadding,
  invert,
  midpoint,
  rk4,
  SOLVERS,
  sampleNoise,
  solve,
  type VelocityField,
} from "../../src/flow/index.js";
import { ConfigError, ShapeError } from "../../src/support/errors.js";
import {
  add,
  addScalar,
  cat,
  Generator,
  mul,
  mulScalar,
  numLiveTensors,
  ones,
  reshape,
  scope,
  slice,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  toDtype,
} from "../../src/torch/index.js";
import { gaussianField } from "./gaussian-field.js";

const [MEAN, STD] = [0.4, 0.3];
const field = gaussianField(MEAN, STD);
const noise = toDtype(sampleNoise([5, 10, 4], new Generator(6)), "float64");
const actions = addScalar(mulScalar(noise, STD), MEAN);
const rootMeanSquare = (x: Tensor): number => scope(() => Math.sqrt(sum(square(x)).item() / x.numElements));
const errorOf = (inverted: Tensor): number => scope(() => rootMeanSquare(sub(inverted, noise)));

describe("invert", () => {
  it.each(
    [midpoint, heun, rk4].flatMap((solver) =>
      GRIDS.map((grid) => ({ solver, grid, name: solver.name, on: grid.name })),
    ),
  )("finds the noise under $name on the $on grid", ({ solver, grid }) => {
    expect(scope(() => errorOf(invert(solver, field, actions, 100, { grid })))).toBeLessThan(2e-3);
  });

  it.each(SOLVERS)("comes nearer with more steps under $name", (solver) => {
    const error = (numSteps: number): number =>
      scope(() => errorOf(invert(solver, field, actions, numSteps, { grid: dataDenseGrid })));
    expect(error(32)).toBeLessThan(0.7 * error(8));
  });

  it("leaves an error of second order in the start time, not of first", () => {
    const error = (startTime: number): number =>
      scope(() => errorOf(invert(rk4, field, actions, 400, { grid: dataDenseGrid, startTime })));
    expect(error(0.04) / error(0.02)).toBeGreaterThan(3.5);
    expect(error(0.001)).toBeLessThan(1e-4);
  });

  it("asks from the start time to 1 and nowhere else, once before its steps", () => {
    const evaluationsPerStep: Record<string, number> = { euler: 1, midpoint: 2, heun: 2, rk4: 4 };
    for (const solver of SOLVERS) {
      const times: number[] = [];
      const spy: VelocityField = (x, time) => {
        times.push(time.toNumbers()[0]!);
        return x;
      };
      scope(() => invert(solver, spy, actions, 10));
      expect(Math.min(...times)).toBe(Math.fround(0.001));
      expect(Math.max(...times)).toBeLessThanOrEqual(1);
      expect(times.length).toBe(1 + 10 * evaluationsPerStep[solver.name]!);
    }
  });

  it("inverts a straight field exactly in one step of any solver", () => {
    const straight = sub(noise, actions);
    for (const solver of SOLVERS)
      expect(scope(() => errorOf(invert(solver, () => straight, actions, 1)))).toBeLessThan(1e-6);
  });

  it("leaves one tensor alive, the actions unchanged, and nothing after an error", () => {
    const [before, given] = [numLiveTensors(), actions.toNumbers()];
    invert(heun, field, actions, 3).dispose();
    expect(numLiveTensors()).toBe(before);
    expect(actions.toNumbers()).toEqual(given);
    let calls = 0;
    const failing: VelocityField = (x) => {
      calls += 1;
      if (calls > 3) throw new Error("mine");
      return mul(x, x);
    };
    expect(() => invert(heun, failing, actions, 3)).toThrow("mine");
    expect(numLiveTensors()).toBe(before);
  });

  it("refuses steps and start times that make no sense, and fields that answer in another shape", () => {
    expect(() => invert(heun, field, actions, 0)).toThrow(
      new ConfigError("flow.invert", "expected numSteps to be an integer of at least 1, got 0"),
    );
    for (const startTime of [0, 1, Number.NaN]) {
      expect(() => invert(heun, field, actions, 1, { startTime })).toThrow(
        new ConfigError("flow.invert", `expected startTime to be above 0 and below 1, got ${startTime}`),
      );
    }
    expect(() => invert(heun, (x) => slice(x, 0, 0, 1), actions, 1)).toThrow(
      new ShapeError("flow.invert: expected the field to return a velocity of shape [5, 10, 4], got [1, 10, 4]"),
    );
  });
});

describe("a round trip", () => {
  it("is accepted for the policy's own actions, and refused for actions it would never take", () => {
    const check = (given: Tensor): boolean[] =>
      scope(() => {
        const inverted = invert(heun, field, given, 50, { grid: dataDenseGrid });
        const restored = solve(heun, field, inverted, 50, dataDenseGrid);
        const checks = checkInversion({
          noise: inverted,
          actions: given,
          restored,
          maxError: 0.02,
          energyRange: [0.4, 1.6],
        });
        return checks.map(({ isAccepted }) => isAccepted);
      });
    expect(check(actions)).toEqual(Array<boolean>(5).fill(true));
    // Five standard deviations from the mean, in every entry.
    expect(check(addScalar(mulScalar(ones([5, 10, 4], "float64"), 5 * STD), MEAN))).toEqual(
      Array<boolean>(5).fill(false),
    );
  });
});

describe("holdPadding", () => {
  const NUM_REAL = 3;
  const padded = toDtype(sampleNoise([5, 10, 4], new Generator(7)), "float64");

  /** Real dimensions like the Gaussian, shifted by twice what the padded one is off its line; the padded velocity is noise. */
  const wide: VelocityField = (x, time) =>
    scope(() => {
      const [real, padding, start] = [slice(x, -1, 0, NUM_REAL), slice(x, -1, NUM_REAL), slice(padded, -1, NUM_REAL)];
      const off = sub(padding, mul(reshape(time, [-1, 1, 1]), start));
      return cat([add(field(real, time), mulScalar(off, 2)), start], -1);
    });

  it("lets the real part be inverted with the padded part on the line from 0 to its noise", () => {
    scope(() => {
      const real = slice(actions, -1, 0, NUM_REAL);
      const held = holdPadding(wide, padded, NUM_REAL);
      const inverted = invert(midpoint, held, real, 100, { grid: dataDenseGrid });
      expect(rootMeanSquare(sub(inverted, slice(noise, -1, 0, NUM_REAL)))).toBeLessThan(2e-3);
      // The full-width pair leads back under the full-width field too.
      const whole = cat([inverted, slice(padded, -1, NUM_REAL)], -1);
      const restored = solve(midpoint, wide, whole, 100, dataDenseGrid);
      expect(rootMeanSquare(sub(slice(restored, -1, 0, NUM_REAL), real))).toBeLessThan(2e-3);
    });
  });

  it("refuses noise without a padded part, and points of another width", () => {
    for (const numReal of [0, 4, 1.5]) {
      expect(() => holdPadding(wide, padded, numReal)).toThrow(
        new ShapeError(
          `flow.holdPadding: expected noise of three dimensions whose last is above ${numReal} real ones, got [5, 10, 4]`,
        ),
      );
    }
    expect(() => holdPadding(wide, padded, NUM_REAL)(actions, tensor([1, 1, 1, 1, 1]))).toThrow(
      new ShapeError("flow.holdPadding: expected points of shape [5, 10, 3], got [5, 10, 4]"),
    );
  });
});

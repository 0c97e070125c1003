/** Against the closed forms of normal actions and of two modes; noises are a grid, so there is no sampling error. */
import { describe, expect, it } from "vitest";
import { heun, solve, type VelocityField } from "../../flow/index.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { addScalar, Generator, normal_, numLiveTensors, ones, scope, tensor, zeros } from "../../torch/index.js";
import { meanOf } from "../statistics/mean-of.js";
import {
  column,
  elementwiseField,
  gaussianField,
  gaussianSlope,
  MODE_SPREAD,
  normalGrid,
  reflowedGaussianField,
  twoModesField,
} from "../testing/closed-form-fields.js";
import { checkIdentity } from "./check-identity.js";
import { initialVelocityDeltas } from "./initial-velocity-deltas.js";
import { measureStraightness, type Straightness } from "./measure-straightness.js";
import { pathShapes } from "./path-shapes.js";
import { tracePaths } from "./trace-paths.js";
import { transportCosts } from "./transport-costs.js";
import { uniformTimeLosses } from "./uniform-time-losses.js";
import { velocityDeviation } from "./velocity-deviation.js";

const GRID = normalGrid(2000);
const noise = column(GRID);
const straightnessOf = (field: VelocityField, numSteps: number, drawnCost?: number): Straightness =>
  measureStraightness(pathShapes(tracePaths(field, noise, { numSteps })), drawnCost);

/** Every noise of a grid with every action of another: an independent coupling. */
const SIDE = 120;
const SMALL = normalGrid(SIDE);
const independent = (actions: ArrayLike<number>) => ({
  noise: column(Array.from(actions).flatMap(() => [...SMALL])),
  actions: column(Array.from(actions).flatMap((action) => Array.from(SMALL, () => action))),
});
const twoModesActions = (centre: number): number[] =>
  [-centre, centre].flatMap((mode) => Array.from(SMALL, (value) => mode + MODE_SPREAD * value));

describe("straightness of normal actions", () => {
  it.each([
    [5, 0.338],
    [10, 0.379],
    [20, 0.403],
    [100, 0.424],
  ])("at %d steps of a standard normal policy is %d, as few steps see too little of it", (numSteps, expected) => {
    expect(Math.abs(straightnessOf(gaussianField(1), numSteps).straightness - expected)).toBeLessThan(6e-4);
  });

  it("is 0 at one step whatever the field", () => {
    expect(straightnessOf(twoModesField(2), 1).straightness).toBe(0);
  });

  it.each([0.05, 0.1, 0.3, 0.5, 1, 2])("with standard deviation %d is (2 - pi/2) times it", (spread) => {
    const { straightness } = straightnessOf(gaussianField(spread, 0.7), 2000);
    expect(Math.abs(straightness - (2 - Math.PI / 2) * spread)).toBeLessThan(1e-3);
  });

  it("is a small share of the cost where one step loses all of the spread", () => {
    // S / E|D|^2 = 0.0429 / (0.9^2 + 1)
    const { perFlowCost, cost } = straightnessOf(gaussianField(0.1, 1), 2000);
    expect(perFlowCost).toBeCloseTo(0.024, 3);
    expect(cost).toBeCloseTo(0.9 ** 2 + 1, 2);
    const [path] = pathShapes(tracePaths(gaussianField(0.1, 1), noise, { numSteps: 1 }));
    expect(Math.sqrt(path!.cost)).toBeCloseTo(Math.abs(GRID[0]! - 1), 4);
  });

  it("and the cost make up the energy of the paths", () => {
    const { straightness, cost, energy } = straightnessOf(twoModesField(1), 50);
    expect(straightness + cost).toBeCloseTo(energy, 6);
  });

  it("is 0 after an exact reflow, with paths as long as their displacement and no angle", () => {
    const { straightness, cost, lengthRatio, angleDegrees } = straightnessOf(reflowedGaussianField(0.3, 1), 100);
    expect(straightness).toBeLessThan(1e-9);
    expect(cost).toBeCloseTo(0.7 ** 2 + 1, 4);
    expect(lengthRatio).toBeCloseTo(1, 4);
    expect(angleDegrees).toBeLessThan(0.01);
  });
});

describe("straightness of two modes", () => {
  // S, and S over the flow's own cost and over that of independent pairs
  it.each([
    [1, 0.542, 1.81, 0.27],
    [2, 1.12, 0.66, 0.22],
  ])("at -+%d is %d, %d of the flow's cost and %d of the drawn", (centre, expected, perFlow, perDrawn) => {
    const { straightness, perFlowCost, perDrawnCost } = straightnessOf(
      twoModesField(centre),
      2000,
      1 + centre ** 2 + MODE_SPREAD ** 2,
    );
    expect(Math.abs(straightness - expected)).toBeLessThan(2e-3);
    expect(Math.abs(perFlowCost! - perFlow)).toBeLessThan(0.01);
    expect(Math.abs(perDrawnCost! - perDrawn)).toBeLessThan(0.006);
  });
});

describe("length and angle of paths", () => {
  it("count the way back of a path that turns", () => {
    // z sigma(t) with sigma^2 = (1 - t)^2 + t^2 / 4 falls to sqrt(0.2) at t = 0.8 and rises to 1/2.
    const { lengthRatio, angleDegrees } = straightnessOf(gaussianField(0.5), 2000);
    expect(lengthRatio).toBeCloseTo((1 - Math.sqrt(0.2) + 0.5 - Math.sqrt(0.2)) / 0.5, 2);
    expect(angleDegrees).toBeCloseTo(0.2 * 180, 0); // backwards a fifth of the time
  });

  it("see all dimensions together, in any chunk shape", () => {
    // u = (1, cos(2 pi time)) has the mean (1, 0).
    const field: VelocityField = (_, time) => tensor([1, Math.cos(2 * Math.PI * time.toNumbers()[0]!)], [1, 1, 2]);
    const [path] = pathShapes(tracePaths(field, zeros([1, 1, 2]), { numSteps: 1000 }));
    const steps = Array.from({ length: 1000 }, (_, k) => Math.cos((2 * Math.PI * k) / 1000));
    expect(path!.deviation).toBeCloseTo(0.25, 4); // mean cos^2 = 1/2, over two entries
    expect(path!.cost).toBeCloseTo(0.5, 5);
    expect(path!.length).toBeCloseTo(meanOf(steps.map((u) => Math.sqrt((1 + u ** 2) / 2)))!, 5);
    expect(path!.angleDegrees).toBeCloseTo(meanOf(steps.map((u) => (Math.atan(Math.abs(u)) * 180) / Math.PI))!, 3);
  });

  it("are undefined for a flow that moves nothing, as are shares of its cost", () => {
    expect(straightnessOf((x) => zeros(x.shape), 4)).toEqual({
      straightness: 0,
      cost: 0,
      energy: 0,
      perFlowCost: undefined,
      perDrawnCost: undefined,
      lengthRatio: undefined,
      angleDegrees: undefined,
    });
  });

  it("are undefined for a path that ends where it began", () => {
    const field = elementwiseField((_, time) => Math.sin(2 * Math.PI * time));
    const { perFlowCost, lengthRatio, angleDegrees, energy } = straightnessOf(field, 8);
    expect(energy).toBeCloseTo(0.5, 6);
    expect([perFlowCost, lengthRatio, angleDegrees]).toEqual([undefined, undefined, undefined]);
  });
});

describe("the deviation of velocities", () => {
  it("has the closed form at every time, in mean and range", () => {
    const spread = 0.5;
    const rows = velocityDeviation(tracePaths(gaussianField(spread), noise, { numSteps: 2000 }));
    expect(rows[0]).toMatchObject({ time: 1 });
    for (const k of [0, 500, 1000, 1500, 1990]) {
      const { time, mean, low, high } = rows[k]!;
      const sigma = Math.sqrt(time ** 2 + ((1 - time) * spread) ** 2);
      // u - D = noise * (slope * sigma - (1 - s)); noise^2 has the 10 and 90 % points 0.0158 and 2.7055.
      const factor = (gaussianSlope(spread, time) * sigma - (1 - spread)) ** 2;
      expect(time).toBeCloseTo(1 - k / 2000, 12);
      expect(Math.abs(mean - factor)).toBeLessThan(1e-3);
      expect(Math.abs(low - 0.0158 * factor)).toBeLessThan(1e-3);
      expect(Math.abs(high - 2.7055 * factor)).toBeLessThan(5e-3);
    }
  });

  it("has the straightness as its mean over times", () => {
    const trace = tracePaths(twoModesField(1), noise, { numSteps: 40 });
    const { straightness } = measureStraightness(pathShapes(trace));
    expect(meanOf(velocityDeviation(trace).map(({ mean }) => mean))).toBeCloseTo(straightness, 9);
  });
});

describe("the initial velocity's delta", () => {
  it("is the squared error of one Euler step: the whole spread for normal actions", () => {
    const trace = tracePaths(gaussianField(0.4, 1), noise, { numSteps: 3 });
    const actions = solve(heun, gaussianField(0.4, 1), noise, 200).toHost();
    const deltas = initialVelocityDeltas(trace, actions);
    expect(meanOf(deltas)).toBeCloseTo(0.4 ** 2, 3);
    expect(deltas[0]).toBeCloseTo((0.4 * GRID[0]!) ** 2, 2);
  });
});

describe("the identity of loss, straightness and costs", () => {
  const checkOf = (field: VelocityField, actions: ArrayLike<number>) => {
    const pairs = independent(actions);
    const loss = meanOf(uniformTimeLosses(field, pairs.noise, pairs.actions, { numTimes: 200 }))!;
    const costBefore = meanOf(transportCosts(pairs.noise.toHost(), pairs.actions.toHost()))!;
    const { straightness, cost } = straightnessOf(field, 2000);
    return { loss, costBefore, check: checkIdentity({ loss, straightness, costBefore, costAfter: cost }) };
  };
  const normalActions = (spread: number): number[] => Array.from(SMALL, (value) => 0.5 + spread * value);

  it.each([0.1, 0.5, 1])("holds for normal actions of standard deviation %d, with a loss of pi s / 2", (spread) => {
    const { loss, costBefore, check } = checkOf(gaussianField(spread, 0.5), normalActions(spread));
    expect(Math.abs(loss - (Math.PI * spread) / 2)).toBeLessThan(1e-3);
    expect(costBefore).toBeCloseTo(1 + spread ** 2 + 0.25, 5);
    expect(Math.abs(check.costDrop - 2 * spread)).toBeLessThan(2e-3);
    expect(Math.abs(check.excess)).toBeLessThan(2e-3);
  });

  it.each([
    [1, 1.172],
    [2, 2.193],
  ])("holds for two modes at -+%d, with a loss of %d", (centre, floor) => {
    const { loss, check } = checkOf(twoModesField(centre), twoModesActions(centre));
    expect(Math.abs(loss - floor)).toBeLessThan(2e-3);
    expect(Math.abs(check.excess)).toBeLessThan(5e-3);
  });

  it.each([-0.3, 0.3])(
    "is off, for a field wrong by %d, by its square and what it changes in the paths' energy",
    (bias) => {
      const exact = gaussianField(0.5, 0.5);
      const biased: VelocityField = (x, time) => addScalar(exact(x, time), bias);
      const { check } = checkOf(biased, normalActions(0.5));
      const energyChange = straightnessOf(biased, 2000).energy - straightnessOf(exact, 2000).energy;
      expect(Math.abs(check.excess - bias ** 2 - energyChange)).toBeLessThan(2e-3);
      expect(Math.abs(check.excess)).toBeGreaterThan(0.05);
      expect(check.excessShare).toBeCloseTo(check.excess / ((Math.PI * 0.5) / 2 + bias ** 2), 2);
    },
  );

  it("has no loss on the pairs of an exact reflow", () => {
    const actions = column(GRID.map((value) => 1 + 0.3 * value));
    const losses = uniformTimeLosses(reflowedGaussianField(0.3, 1), noise, actions);
    expect(Math.max(...losses)).toBeLessThan(1e-9);
    const terms = { loss: 0, straightness: 0, costBefore: 1, costAfter: 1 };
    expect(checkIdentity(terms)).toEqual({ costDrop: 0, excess: 0, excessShare: undefined });
  });
});

describe("dimensions that are only padding", () => {
  it("take part in the solve and are not measured", () => {
    using generator = new Generator(5);
    const wide = normal_(zeros([6, 3, 4]), 0, 1, generator);
    const field = twoModesField(1);
    const narrow = pathShapes(tracePaths(field, wide, { numSteps: 5, numDims: 2 }));
    const { velocities, noise: start } = tracePaths(field, wide, { numSteps: 5 });
    const cropped = ({ shape, data }: HostArray): HostArray =>
      hostArray(
        "float32",
        [...shape.slice(0, -1), 2],
        (data as Float32Array).filter((_, i) => i % 4 < 2),
      );
    expect(narrow).toEqual(pathShapes({ numSteps: 5, noise: cropped(start), velocities: cropped(velocities) }));
    const all = uniformTimeLosses(field, wide, ones([6, 3, 4]), { numDims: 4 });
    expect(uniformTimeLosses(field, wide, ones([6, 3, 4]), { numDims: 2 })).not.toEqual(all);
  });

  it("leave no tensors behind", () => {
    const before = numLiveTensors();
    scope(() => {
      tracePaths(gaussianField(1), ones([2, 3, 4]), { numSteps: 3 });
      uniformTimeLosses(gaussianField(1), ones([2, 3, 4]), ones([2, 3, 4]));
    });
    expect(numLiveTensors()).toBe(before);
  });
});

describe("measures of paths refuse", () => {
  const field = gaussianField(1);
  const trace = tracePaths(field, ones([2, 1, 1]), { numSteps: 2 });
  const column2 = hostArray("float32", [2, 1, 1], Float32Array.of(1, 2));

  it.each<[string, () => unknown, string]>([
    [
      "no steps",
      () => tracePaths(field, noise, { numSteps: 0 }),
      "eval.tracePaths: expected numSteps to be an integer of at least 1, got 0",
    ],
    [
      "dimensions that there are not",
      () => tracePaths(field, noise, { numDims: 2 }),
      "eval.tracePaths: expected numDims to be a whole number from 1 to 1, got 2",
    ],
    ["flat noise", () => tracePaths(field, ones([3])), "eval.tracePaths: expected noise [B, A, M], got [3]"],
    [
      "a field of another shape",
      () => tracePaths(() => ones([1]), noise),
      "eval.tracePaths: expected the field to return a velocity of shape [2000, 1, 1], got [1]",
    ],
    [
      "velocities of other steps",
      () => pathShapes({ ...trace, numSteps: 3 }),
      "eval.pathShapes: expected float32 noise [B, A, M] and velocities [3, B, A, M], got float32 [2, 1, 1] and float32 [2, 2, 1, 1]",
    ],
    [
      "velocities that are no numbers",
      () =>
        pathShapes(
          tracePaths(
            elementwiseField(() => Number.NaN),
            noise,
            { numSteps: 1 },
          ),
        ),
      "eval.pathShapes: expected finite numbers in velocities, got NaN at entry 0",
    ],
    ["no paths", () => measureStraightness([]), "eval.measureStraightness: expected at least one path, got none"],
    [
      "a cost below 0",
      () => measureStraightness(pathShapes(trace), -1),
      "eval.measureStraightness: expected drawnCost to be a number of at least 0, got -1",
    ],
    [
      "actions of other paths",
      () => initialVelocityDeltas(trace, hostArray("float32", [1, 1, 1], Float32Array.of(1))),
      "eval.initialVelocityDeltas: expected actions float32 [2, 1, 1] as the noise, got float32 [1, 1, 1]",
    ],
    [
      "pairs that are none",
      () => transportCosts(column2, hostArray("float32", [1, 2, 1], Float32Array.of(1, 2))),
      "eval.transportCosts: expected noise and actions float32 [B, A, M], got float32 [2, 1, 1] and float32 [1, 2, 1]",
    ],
    [
      "a loss at no times",
      () => uniformTimeLosses(field, noise, noise, { numTimes: 0 }),
      "eval.uniformTimeLosses: expected numTimes to be a whole number of at least 1, got 0",
    ],
    [
      "a term that is no number",
      () => checkIdentity({ loss: Number.NaN, straightness: 0, costBefore: 0, costAfter: 0 }),
      "eval.checkIdentity: expected loss to be a number of at least 0, got NaN",
    ],
  ])("%s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});

/** Against the closed forms of normal actions and of two modes; noises are a grid, so there is no sampling error. */
import { describe, expect, it } from "vitest";
import { euler, type VelocityField } from "../flow/index.js";
import { type HostArray, hostArray } from "../support/host-array.js";
import { ones } from "../torch/index.js";
import { agreementOf, agreementSums, measureAgreement } from "./agreement.js";
import { agreementViews } from "./agreement-views.js";
import { errorPerDimension } from "./error-per-dimension.js";
import { studentAgreement, teacherBaselines } from "./flow-agreement.js";
import { type SolvedSamples, solvedSamples } from "./samples/solved-samples.js";
import { viewActions } from "./samples/view-actions.js";
import {
  column,
  gaussianField,
  normalGrid,
  reflowedGaussianField,
  twoModesField,
} from "./testing/closed-form-fields.js";

const GRID = normalGrid(2000);
const noise = column(GRID);
const solved = (field: VelocityField, numStepsList: number[]): SolvedSamples =>
  solvedSamples(field, noise, { numNoises: GRID.length, numStepsList, reference: { solver: euler, numSteps: 4000 } });

describe("few Euler steps of normal actions", () => {
  it.each([
    [1, [0, 0.5, 0.771, 0.879, 0.975]],
    [0.5, [0, 0.4, 0.738, 0.862, 0.971]],
    [0.2, [0, 0.192, 0.569, 0.771, 0.95]],
  ])("with standard deviation %d keep the known shares of it, and none at one step", (spread, shares) => {
    const flow = solvedSamples(gaussianField(spread, 1), noise, {
      numNoises: GRID.length,
      numStepsList: [1, 2, 5, 10, 50],
    });
    for (const [i, { self }] of studentAgreement(flow, flow).entries()) {
      expect(Math.abs(self.spreadRatio! - shares[i]!)).toBeLessThan(1e-3);
      expect(Math.abs(self.noiseExplained! - (1 - (1 - shares[i]!) ** 2))).toBeLessThan(2e-3);
      expect(Math.abs(self.relativeError! - ((1 - shares[i]!) * spread) / Math.hypot(1, spread))).toBeLessThan(1e-3);
    }
  });
});

describe("the reference", () => {
  it.each([1, 0.5, 0.2, 0.1, 0.05])("has the exact actions of standard deviation %d", (spread) => {
    const { converged } = solvedSamples(gaussianField(spread, 1), noise, { numNoises: GRID.length, numStepsList: [] });
    const exact = hostArray(
      "float32",
      converged.shape,
      Float32Array.from(GRID, (z) => 1 + spread * z),
    );
    expect(1 - measureAgreement(converged, exact).spreadRatio!).toBeLessThan(1e-3);
    expect(1 - measureAgreement(converged, exact).spreadRatio!).toBeGreaterThan(-1e-3);
  });
});

describe("few Euler steps of two modes", () => {
  it.each([
    [1, [1, 0.48, 0.24, 0.09, 0.035], [1, 0.42, 0.13, 0.019, 0.0006]],
    [2, [1, 0.36, 0.12, 0.035, 0.018], [1, 0.22, 0.03, 0.0011, 0]],
  ])("at -+%d have the known errors and shares of samples in the forbidden middle", (centre, errors, forbidden) => {
    const flow = solved(twoModesField(centre), [1, 2, 3, 5, 10]);
    for (const [i, { self }] of studentAgreement(flow, flow).entries()) {
      expect(Math.abs(self.relativeError! - errors[i]!)).toBeLessThan(0.006);
      const samples = flow.fewSteps[i]!.samples.data as Float32Array;
      const share = samples.filter((action) => Math.abs(action) < centre / 2).length / samples.length;
      expect(Math.abs(share - forbidden[i]!)).toBeLessThan(0.006);
    }
  });
});

describe("baselines", () => {
  const teacher = solved(gaussianField(0.5, 1), [1, 10]);
  const other = hostArray(
    "float32",
    teacher.converged.shape,
    (teacher.converged.data as Float32Array).map((_, i, all) => all[(i * 7 + 3) % all.length]!),
  );

  it("are the teacher at the same steps, from other noise, and as deployed", () => {
    const { sameSteps, otherNoise, deployed } = teacherBaselines(teacher, other);
    expect(sameSteps.map(({ numSteps }) => numSteps)).toEqual([1, 10]);
    expect(sameSteps[0]!.agreement.noiseExplained).toBeCloseTo(0, 2);
    expect(deployed).toEqual(sameSteps[1]!.agreement);
    expect(otherNoise.noiseExplained).toBeCloseTo(-1, 0);
    expect(otherNoise.spreadRatio).toBeCloseTo(1, 6);
    expect(teacherBaselines({ ...teacher, fewSteps: [] }, other).deployed).toBeUndefined();
  });

  it("tell a straight student from a right one", () => {
    const [wrong] = studentAgreement(solved(reflowedGaussianField(0.5, 2), [1]), teacher);
    expect(wrong!.self.relativeError).toBeLessThan(1e-3);
    expect(wrong!.teacher.relativeError).toBeCloseTo(1 / Math.hypot(1, 0.5), 2);
    const [right] = studentAgreement(solved(reflowedGaussianField(0.5, 1), [1]), teacher);
    expect(right!.teacher.relativeError).toBeLessThan(1e-3);
    expect(right!.deployed!.relativeError).toBeCloseTo((0.138 * 0.5) / Math.hypot(1, 0.862 * 0.5), 2);
  });
});

describe("views of samples", () => {
  // [1, 2, 2, 2]: the second action step is wrong in the second dimension only
  const of = (...values: number[]): HostArray => hostArray("float32", [1, 2, 2, 2], Float32Array.from(values));
  const [a, r] = [of(1, 2, 3, 5, 2, 4, 6, 7), of(1, 2, 3, 4, 2, 4, 6, 9)];

  it("are the first steps, in physical units", () => {
    expect(viewActions(a, { numActionSteps: 1, scale: [10, 1], offset: [0, -1] })).toEqual(
      hostArray("float32", [1, 2, 1, 2], Float32Array.of(10, 1, 20, 3)),
    );
    expect(viewActions(a, {})).toEqual(a);
  });

  it("show an error in what is predicted, and none in what is executed", () => {
    const { chunk, executed, physicalChunk, physicalExecuted } = agreementViews(a, r, {
      numActionSteps: 1,
      scale: [1, 100],
    });
    expect(chunk).toEqual(measureAgreement(a, r));
    expect(executed.relativeError).toBe(0);
    expect(physicalExecuted.relativeError).toBe(0);
    expect(physicalChunk.relativeError).toBeGreaterThan(chunk.relativeError!);
  });

  it("have an error for each dimension in its own unit", () => {
    expect(errorPerDimension(a, r)).toEqual([0, Math.sqrt(5 / 4)]);
  });

  it("give the same agreement from sums by observation", () => {
    expect(agreementOf(agreementSums(a, r))).toEqual(measureAgreement(a, r));
    expect(agreementSums(a, r)).toEqual([{ difference: 5, size: 167, sampleSpread: 9, referenceSpread: 19.5 }]);
  });

  it.each<[string, () => unknown, string]>([
    [
      "more steps than there are",
      () => viewActions(a, { numActionSteps: 3 }),
      "eval.viewActions: expected numActionSteps to be a whole number from 1 to 2, got 3",
    ],
    [
      "scales of other dimensions",
      () => viewActions(a, { scale: [1] }),
      "eval.viewActions: expected scale to hold 2 numbers, got 1",
    ],
    [
      "a scale of 0",
      () => viewActions(a, { scale: [1, 0] }),
      "eval.viewActions: expected scale to hold numbers above 0, got 0",
    ],
    [
      "noises that cannot be dealt out",
      () => solvedSamples(gaussianField(1), ones([3, 1, 1]), { numNoises: 2, numStepsList: [] }),
      "eval.solvedSamples: expected noise [observations * 2, A, M], got [3, 1, 1]",
    ],
    [
      "dimensions that there are not",
      () => solvedSamples(gaussianField(1), ones([2, 1, 1]), { numNoises: 2, numDims: 2, numStepsList: [] }),
      "eval.solvedSamples: expected numDims to be a whole number from 1 to 1, got 2",
    ],
  ])("refuse %s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});

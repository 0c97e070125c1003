import { describe, expect, it } from "vitest";
import {
  gaussianField,
  MODE_SPREAD,
  normalGrid,
  reflowedGaussianField,
  twoModesField,
} from "../../eval/testing/closed-form-fields.js";
import type { OfflineRow } from "../comparison.js";
import {
  type ClosedFormPolicy,
  closedFormPolicy,
  closedFormRequest,
  openClosedForm,
  UNIT,
} from "../testing/closed-form-flow.js";
import { compareOffline, type OfflinePart, type OfflineRequest } from "./compare-offline.js";

async function partsOf(request: OfflineRequest): Promise<OfflinePart[]> {
  const parts: OfflinePart[] = [];
  for await (const part of compareOffline(request)) parts.push(part);
  return parts;
}

const rowsBySteps = ({ rows }: OfflinePart): ReadonlyMap<number, OfflineRow> =>
  new Map(rows.map((row) => [row.numSteps, row]));

const SPREAD = 0.5;
const teacher = closedFormPolicy("teacher", gaussianField(SPREAD, 1));
const student = closedFormPolicy("student", reflowedGaussianField(SPREAD, 1), 2);

describe("normal actions of spread 0.5 around 1", async () => {
  const numObservations = 600;
  // Deals the middles of equal parts of probability out to observations, the far ones between the near ones.
  const grid = normalGrid(numObservations);
  const demonstrations = Float32Array.from(grid, (_, i) => 1 + SPREAD * grid[(i * 7) % numObservations]!);
  const request = closedFormRequest([teacher, student], { numObservations, numNoises: 8 }, demonstrations);
  const [ofTeacher, ofStudent] = (await partsOf(request)) as [OfflinePart, OfflinePart];

  it("come out of few teacher steps with the share of their spread that theory says", () => {
    const rows = rowsBySteps(ofTeacher);
    expect([...rows.keys()]).toEqual([1, 2, 5, 10]);
    for (const [numSteps, share] of [
      [1, 0],
      [2, 0.4],
      [5, 0.738],
      [10, 0.862],
    ] as const) {
      expect(Math.abs(rows.get(numSteps)!.teacher.spreadRatio! - share)).toBeLessThan(1e-3);
    }
    expect(rows.get(1)!.teacher.noiseExplained).toBeCloseTo(-1 / 7, 1); // 0, but for the mean of 8 noises
    expect(rows.get(1)!.errorPerDimension[0]! * UNIT).toBeCloseTo(SPREAD, 1);
    expect(rows.get(10)!.deployed).toEqual({ relativeError: 0, noiseExplained: 1, spreadRatio: 1 });
  });

  it("come out of one step of the reflowed flow exactly", () => {
    const one = rowsBySteps(ofStudent).get(1)!;
    expect(one.teacher.relativeError!).toBeLessThan(1e-3);
    expect(one.teacher.noiseExplained!).toBeGreaterThan(0.9999);
    expect(one.noiseExplainedInterval!.low).toBeGreaterThan(0.9999);
    expect(one.energyDistance!.excess).toBeCloseTo(0, 3);
    expect(one.slicedWasserstein!.excess).toBeCloseTo(0, 3);
    const naive = rowsBySteps(ofTeacher).get(1)!;
    expect(naive.energyDistance!.excess).toBeGreaterThan(0.1);
  });

  it("have the straightness, costs and loss of theory, before and after", () => {
    const { flow } = ofTeacher;
    const straightness = (2 - Math.PI / 2) * SPREAD;
    expect(flow.straightness / straightness).toBeCloseTo(1, 1);
    expect(flow.cost / ((1 - SPREAD) ** 2 + 1)).toBeCloseTo(1, 1);
    expect(flow.perFlowCost).toBeCloseTo(flow.straightness / flow.cost, 12);
    expect(flow.perDrawnCost! / (straightness / (2 + SPREAD ** 2))).toBeCloseTo(1, 1);
    // One step loses the whole spread.
    expect(flow.initialVelocityDelta / SPREAD ** 2).toBeCloseTo(1, 1);
    expect(flow.identity!.loss / ((Math.PI * SPREAD) / 2)).toBeCloseTo(1, 1);
    expect(Math.abs(flow.identity!.excess)).toBeLessThan(0.05);
    expect(ofStudent.flow.straightness).toBeLessThan(1e-6);
    expect(ofStudent.flow.initialVelocityDelta).toBeLessThan(1e-5);
    expect(ofStudent.flow.identity!.loss).toBeLessThan(1e-5); // on the teacher's pairs
    expect(Math.abs(ofStudent.flow.identity!.excess)).toBeLessThan(1e-3);
  });

  it("have a deviation whose mean over times is the straightness", () => {
    const { flow } = ofTeacher;
    const mean = flow.velocityDeviation.reduce((sum, row) => sum + row.mean / flow.velocityDeviation.length, 0);
    expect(mean).toBeCloseTo(flow.straightness, 6);
    expect(flow.velocityDeviation.every(({ low, high }) => low <= high)).toBe(true);
    expect(flow.velocityDeviation[0]!.time).toBe(1);
  });

  it("are drawn as ways that begin and end alike for teacher and student, and straight for the student", () => {
    const [a, b] = [ofTeacher.flow.paths, ofStudent.flow.paths];
    expect(a.times).toEqual(b.times);
    expect([a.times[0], a.times.at(-1), a.points.length]).toEqual([1, 0, 8]);
    for (const [k, way] of b.points.entries()) {
      expect(way[0]).toEqual(a.points[k]![0]);
      expect(way.at(-1)![0]).toBeCloseTo(a.points[k]!.at(-1)![0], 1);
      const [from, to] = [way[0]![0], way.at(-1)![0]];
      for (const [i, [along]] of way.entries()) expect(along).toBeCloseTo(from + (to - from) * (1 - b.times[i]!), 4);
    }
  });

  it("from other noises agree as chance does", () => {
    expect(ofTeacher.otherNoise!.noiseExplained).toBeCloseTo(-1 - 1 / 7, 0);
    expect(ofStudent.otherNoise).toBeUndefined();
  });
});

describe("two modes at -1 and 1", async () => {
  const twoModes = closedFormPolicy("two modes", twoModesField(1));
  // A policy that has lost its modes: everything between them.
  const averaging = closedFormPolicy("averaging", gaussianField(MODE_SPREAD), 2);
  const [ofTeacher, ofOther] = (await partsOf(
    closedFormRequest([twoModes, averaging], { numObservations: 40, numNoises: 64 }),
  )) as [OfflinePart, OfflinePart];

  it("are missed by few steps as theory says", () => {
    const rows = rowsBySteps(ofTeacher);
    const errors = [1, 2, 5, 10].map((numSteps) => rows.get(numSteps)!.self.relativeError!);
    for (const [i, expected] of [1, 0.48, 0.09, 0.035].entries()) {
      expect(Math.abs(errors[i]! / expected - 1)).toBeLessThan(0.15);
    }
    expect(rows.get(1)!.modes).toMatchObject({ betweenModes: 1, numMultimodal: 40 });
    expect(rows.get(10)!.modes.betweenModes).toBeLessThan(0.02);
  });

  it("are known to be lost from the samples, and the interval says how surely", () => {
    const row = rowsBySteps(ofOther).get(5)!;
    expect(row.modes.betweenModes).toBeGreaterThan(0.95);
    expect(row.betweenModesBeyondTeacher!.low).toBeGreaterThan(0.9);
    expect(row.modes.totalVariation!).toBeLessThanOrEqual(1);
  });

  it("leave out what demonstrations are needed for", () => {
    expect([ofTeacher.flow.identity, ofTeacher.flow.perDrawnCost]).toEqual([undefined, undefined]);
  });
});

describe("compareOffline", () => {
  const small = {
    numObservations: 3,
    numNoises: 4,
    referenceSteps: 5,
    pathSteps: 4,
    numStepsList: [1, 2],
    deployedSteps: 3,
  };

  it("measures a policy of one step with every number of steps, and with one where that is not asked for, without a loss at other times", async () => {
    const distilled = closedFormPolicy("distilled", reflowedGaussianField(SPREAD, 1), 2, true);
    const [, part] = await partsOf(closedFormRequest([teacher, distilled], small));
    expect(part!.rows.map(({ numSteps }) => numSteps)).toEqual([1, 2]);
    expect(part!.flow.identity).toBeUndefined();
    const [, other] = await partsOf(closedFormRequest([teacher, distilled], { ...small, numStepsList: [2] }));
    expect(other!.rows.map(({ numSteps }) => numSteps)).toEqual([1, 2]);
  });

  it("gives the same whatever is computed at once", async () => {
    const [one, other] = await Promise.all(
      [4, 8].map((chunksAtOnce) => partsOf(closedFormRequest([teacher, student], { ...small, chunksAtOnce }))),
    );
    expect(one).toEqual(other);
  });

  it("has one policy open at a time, and closes it also if it fails", async () => {
    let numOpen = 0;
    const broken = closedFormPolicy("broken", () => {
      throw new RangeError("no");
    });
    const request = closedFormRequest([teacher, student, broken], {
      ...small,
      open: async (policy) => {
        numOpen += 1;
        expect(numOpen).toBe(1);
        const dispose = (): void => {
          numOpen -= 1;
        };
        return { ...openClosedForm(policy as ClosedFormPolicy), dispose };
      },
    });
    await expect(partsOf(request)).rejects.toThrow("no");
    expect(numOpen).toBe(0);
  });

  it("ends when it is told to, with the policies that are done", async () => {
    const interrupt = new AbortController();
    const request = closedFormRequest([teacher, student], {
      ...{ ...small, chunksAtOnce: 4, signal: interrupt.signal },
      onProgress: ({ policy, numDone }) => {
        if (policy === "student" && numDone === 2) interrupt.abort();
      },
    });
    expect((await partsOf(request)).map(({ flow }) => flow.policy)).toEqual(["teacher"]);
  });

  it("refuses policies whose normalised actions mean something else, naming both", async () => {
    const request = closedFormRequest([teacher, student], {
      ...small,
      open: async (policy) => ({
        ...openClosedForm(policy as ClosedFormPolicy),
        ...(policy.name === "student" ? { toRobotUnits: (samples) => samples } : {}),
      }),
    });
    await expect(partsOf(request)).rejects.toThrow(
      'compare: expected policies that normalise actions alike, got other statistics in "teacher" and "student"',
    );
  });

  it("names the policy that gives what is no number", async () => {
    const wild = closedFormPolicy("wild", gaussianField(Number.NaN), 2);
    await expect(partsOf(closedFormRequest([teacher, wild], small))).rejects.toThrow(
      /^compare: policy "wild" \(\/policies\/wild\): eval\.\w+: expected finite numbers/,
    );
  });
});

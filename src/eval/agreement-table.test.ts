import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collate, LeRobotDataset } from "../data/index.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { numLiveTensors, setNumThreads } from "../torch/index.js";
import { type AgreementRequest, agreementTable } from "./agreement-table.js";

const FIXTURE = "test/fixtures/tiny-smolvla";
let teacher: SmolVLAPolicy;
let observations: ProcessorBatch;

beforeAll(async () => {
  setNumThreads(1); // test files run side by side, and threads that wait for each other's cores are far slower than one
  teacher = await SmolVLAPolicy.load(`${FIXTURE}/teacher`, { device: "cpu" });
  await using dataset = await LeRobotDataset.open({ root: `${FIXTURE}/dataset-v3.0`, chunkSize: 1 });
  const frames = Array.from({ length: 24 }, (_, i) => Math.floor((i * dataset.numFrames) / 24));
  observations = collate(await Promise.all(frames.map((frame) => dataset.item(frame))));
});
afterAll(() => teacher.dispose());

const rows = (from: number, to: number): ProcessorBatch => ({
  arrays: Object.fromEntries(
    Object.entries(observations.arrays).map(([name, array]) => {
      const size = array.data.length / array.shape[0]!;
      return [
        name,
        { ...array, shape: [to - from, ...array.shape.slice(1)], data: array.data.slice(from * size, to * size) },
      ];
    }),
  ),
  tasks: observations.tasks.slice(from, to),
});

const request = (changes: Partial<AgreementRequest> = {}): AgreementRequest => ({
  reference: teacher,
  candidates: [{ name: "teacher", policy: teacher }],
  observations: rows(0, 3),
  numNoises: 4,
  numStepsList: [1, 4],
  numReferenceSteps: 4,
  seed: 0,
  ...changes,
});

describe("agreement of a policy with itself", () => {
  it("is perfect at the reference's own number of steps", () => {
    const [one, four] = agreementTable(request());
    expect(four).toEqual({ name: "teacher", numSteps: 4, relativeError: 0, noiseExplained: 1, spreadRatio: 1 });
    expect(one).toMatchObject({ name: "teacher", numSteps: 1 });
    expect(one!.relativeError).toBeGreaterThan(0.01);
  });

  it("does not depend on how observations are batched", () => {
    const tables = [1, 8, 64].map((batchSize) => agreementTable(request({ batchSize })));
    for (const [i, row] of tables[0]!.entries()) {
      for (const table of tables) expect(table[i]!.noiseExplained).toBeCloseTo(row.noiseExplained!, 4);
    }
  });

  it("depends on the seed alone for its noise", () => {
    expect(agreementTable(request())).toEqual(agreementTable(request()));
    expect(agreementTable(request({ seed: 1 }))[0]).not.toEqual(agreementTable(request())[0]);
  });

  it("uses the same noise and observations as the deployment path", () => {
    // A copy of the expert is the same function: if noise or prefixes were mixed up, it would not agree.
    const copy = teacher.with({ model: teacher.model.withCopiedExpert() });
    const [row] = agreementTable(request({ candidates: [{ name: "copy", policy: copy }], numStepsList: [4] }));
    expect(row!.relativeError).toBeLessThan(1e-6);
    copy.model.expert.dispose();
  });

  it("reports progress and leaves no tensors behind", () => {
    const before = numLiveTensors();
    const progress: string[] = [];
    agreementTable(request({ batchSize: 8, onProgress: (done, total) => progress.push(`${done}/${total}`) }));
    expect(progress).toEqual(["2/3", "3/3"]);
    expect(numLiveTensors()).toBe(before);
  });
});

describe("the teacher against its own flow, well solved", () => {
  // Measured once with PyTorch, 16 noises, 100 reference steps, on frames that are not in this dataset (error / explained /
  // spread): 0.191 / -2.60 / 1.09 at one step, 0.095 / 0.12 / 0.73 at two, 0.029 / 0.92 / 0.90 at ten. Hence wide bounds.
  it("is worse than ignoring its noise at one step, about even at two, and good at ten", () => {
    const [one, two, ten] = agreementTable(
      request({ observations, numNoises: 16, numStepsList: [1, 2, 10], numReferenceSteps: 100, batchSize: 128 }),
    );
    const expectWithin = (value: number | undefined, low: number, high: number): void => {
      expect(value).toBeGreaterThan(low);
      expect(value).toBeLessThan(high);
    };
    expectWithin(one!.relativeError, 0.1, 0.3);
    expectWithin(one!.noiseExplained, -6, -0.5);
    expectWithin(one!.spreadRatio, 0.6, 1.7);
    expectWithin(two!.relativeError, 0.05, 0.15);
    expectWithin(two!.noiseExplained, -0.5, 0.6);
    expectWithin(two!.spreadRatio, 0.5, 1);
    expectWithin(ten!.relativeError, 0.01, 0.05);
    expectWithin(ten!.noiseExplained, 0.8, 0.99);
    expectWithin(ten!.spreadRatio, 0.8, 1);
  });
});

describe("agreementTable refuses", () => {
  it.each<[string, Partial<AgreementRequest>, string]>([
    ["a single noise", { numNoises: 1 }, "at numNoises: expected a whole number of at least 2, got 1"],
    ["no steps", { numStepsList: [1, 0] }, "at numStepsList.1: expected a whole number of at least 1, got 0"],
    [
      "no reference steps",
      { numReferenceSteps: 0 },
      "at numReferenceSteps: expected a whole number of at least 1, got 0",
    ],
    ["an empty batch", { batchSize: 0 }, "at batchSize: expected a whole number of at least 1, got 0"],
    [
      "no observations",
      { observations: { arrays: {}, tasks: [] } },
      "at observations: expected a whole number of at least 1, got 0",
    ],
  ])("%s", (_, changes, message) => {
    expect(() => agreementTable(request(changes))).toThrow(`eval.agreementTable ${message}`);
  });

  it("observations without one row per task", () => {
    const { arrays, tasks } = rows(0, 3);
    expect(() => agreementTable(request({ observations: { arrays, tasks: tasks.slice(1) } }))).toThrow(
      /^eval\.agreementTable: expected one row of "observation\.\S+" for each of 2 tasks, got \[3, /,
    );
  });

  it("policies with other chunks", () => {
    const other = teacher.with({ config: { ...teacher.config, chunkSize: 5 } });
    expect(() => agreementTable(request({ candidates: [{ name: "short", policy: other }] }))).toThrow(
      'eval.agreementTable: expected candidate "short" to give chunks as the reference does, [10, 3] padded to 8, ' +
        "got [5, 3] padded to 8",
    );
  });
});

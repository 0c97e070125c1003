import { describe, expect, it } from "vitest";
import { makeEnvironment } from "../../env/index.js";
import { hostArray } from "../../support/host-array.js";
import type { ComparedPolicy } from "../comparison.js";
import { type ClosedLoopRequest, compareClosedLoop, type OpenedPolicy } from "./compare-closed-loop.js";

const CHUNK = 4;
const config = {
  ...{ chunkSize: CHUNK, nActionSteps: CHUNK, maxActionDim: 2, numSteps: 10, emptyCameras: 0 },
  inputFeatures: {
    "observation.state": { type: "STATE", shape: [4] },
    "observation.images.top": { type: "VISUAL", shape: [3, 96, 96] },
  },
  outputFeatures: { action: { type: "ACTION", shape: [2] } },
} as unknown as OpenedPolicy["policy"]["config"];

/** Walks as its noise says; the number of steps sets the pace. */
const walking: OpenedPolicy["policy"] = {
  config,
  predict: ({ tasks }, { noise, numSteps = 1 } = {}) => {
    const data = Float32Array.from(noise!.data as Float32Array, (value) => value * 1e-3 * numSteps);
    const chunk = hostArray("float32", [tasks.length, CHUNK, 2], data);
    return { chunk, robotChunk: chunk };
  },
};

const policyOf = (name: string, isDistilled = false): ComparedPolicy => ({
  name,
  folder: `/${name}`,
  round: 1,
  isDistilled,
});

function requestOf(changes: Partial<ClosedLoopRequest> = {}): { request: ClosedLoopRequest; opened: string[] } {
  const opened: string[] = [];
  const request: ClosedLoopRequest = {
    policies: [policyOf("teacher"), policyOf("student"), policyOf("one", true)],
    open: async ({ name }) => {
      opened.push(name);
      return { policy: walking, measureLatency: () => undefined, dispose: () => void opened.push(`${name} closed`) };
    },
    makeEnvironment: () => makeEnvironment("avoiding", { maxSteps: 8 }),
    ...{ numEpisodes: 3, batchSize: 3, numStepsList: [1, 2], deployedSteps: 5, numActionSteps: CHUNK, seed: 7 },
    isDone: () => false,
    ...changes,
  };
  return { request, opened };
}

async function rowsOf(request: ClosedLoopRequest) {
  const rows = [];
  for await (const row of compareClosedLoop(request)) rows.push(row);
  return rows;
}

describe("compareClosedLoop", () => {
  it("begins with the teacher as deployed, and loads one policy at a time", async () => {
    const { request, opened } = requestOf();
    const rows = await rowsOf(request);
    expect(rows.map(({ policy, numSteps }) => `${policy} ${numSteps}`)).toEqual([
      ...["teacher 5", "teacher 1", "teacher 2", "student 1", "student 2", "one 1", "one 2"],
    ]);
    expect(opened).toEqual(["teacher", "teacher closed", "student", "student closed", "one", "one closed"]);
  });

  it("gives every row the same starts and noises", async () => {
    const rows = await rowsOf(requestOf().request);
    const routesOf = (policy: string, numSteps: number) =>
      rows.find((row) => row.policy === policy && row.numSteps === numSteps)!.routes;
    expect(routesOf("student", 1)).toEqual(routesOf("teacher", 1));
    expect(routesOf("student", 2)).toEqual(routesOf("teacher", 2));
    expect(routesOf("student", 2)).not.toEqual(routesOf("teacher", 1));
    for (const { episodes } of rows) expect(episodes.map(({ seed }) => seed)).toEqual([7, 8, 9]);
  });

  it("does not load a policy whose rows are known", async () => {
    const { request, opened } = requestOf({ isDone: (policy, numSteps) => policy === "teacher" || numSteps === 2 });
    expect((await rowsOf(request)).map(({ policy, numSteps }) => `${policy} ${numSteps}`)).toEqual([
      "student 1",
      "one 1",
    ]);
    expect(opened).not.toContain("teacher");
  });

  it("marks the row that was running when it was told to end", async () => {
    const interrupt = new AbortController();
    const { request } = requestOf({
      ...{ batchSize: 1, signal: interrupt.signal },
      onProgress: ({ policy, numSteps, numDone }) => {
        if (policy === "teacher" && numSteps === 1 && numDone === 2) interrupt.abort();
      },
    });
    const rows = await rowsOf(request);
    expect(rows.map(({ policy, numSteps, status, episodes }) => [policy, numSteps, status, episodes.length])).toEqual([
      ["teacher", 5, "complete", 3],
      ["teacher", 1, "partial", 2],
    ]);
  });

  it("says how far it is in all rows that are wanted, those of many steps for more work", async () => {
    const shares: number[] = [];
    const { request } = requestOf({
      policies: [policyOf("teacher"), policyOf("student")],
      isDone: (policy, numSteps) => policy === "teacher" && numSteps === 1,
      onProgress: ({ numDone, share }) => {
        if (numDone === 0 && share !== undefined) shares.push(share);
        if (numDone === 3) shares.push(share!);
      },
    });
    await rowsOf(request);
    // Teacher with 5 and 2 steps, student with 1 and 2.
    const ends = [8, 8 + 5, 8 + 5 + 4, 8 + 5 + 4 + 5].map((done) => done / 22);
    expect(shares).toEqual([0, ends[0], ends[0], ends[1], ends[1], ends[2], ends[2], 1]);
  });

  it("names the policy that cannot drive the world", async () => {
    const { request } = requestOf({
      open: async () => ({
        policy: { ...walking, config: { ...config, outputFeatures: { action: { type: "ACTION", shape: [3] } } } },
        measureLatency: () => undefined,
        dispose: () => {},
      }),
    });
    await expect(rowsOf(request)).rejects.toThrow('compare: policy "teacher" (/teacher): env: expected a policy for');
  });
});

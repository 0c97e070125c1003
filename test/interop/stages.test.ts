/** Every stage, from a base model, from nothing and from a trained policy to a distilled 3-RF, beside stock LeRobot. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { sampleNoise } from "../../src/flow/index.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { Generator, scope } from "../../src/torch/index.js";
import { FIXTURE, largestDifference, rawBatch } from "../parity/fixture.js";
import { type Chain, policyOf, STAGES, STARTS, type Stage, trainChain } from "../runs/stage-chain.js";
import { lastCheckpoint } from "../runs/training-run.js";
import { runPythonScript } from "./python-env.mjs";

const TIMEOUT_MS = 240_000;
/** Of ten float32 solver steps in two programs. */
const TOLERANCE = 5e-5;

type Start = keyof typeof STARTS;
const JOBS = (Object.keys(STARTS) as Start[]).flatMap((start) => STAGES.map((stage) => ({ start, stage })));

/** Action steps of a chunk of these chains. */
const chunkSizeOf = (start: Start): number => (start === "a trained policy" ? 10 : 6);
/** As each stage is meant to be run. */
const numStepsOf = (stage: Stage): number => (stage === "1-RF" ? 10 : stage === "distilled" ? 1 : 2);

const root = mkdtempSync(join(tmpdir(), "stages-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Report {
  readonly config: object;
  readonly train_config: object;
  readonly training_state: object;
  readonly processors: Readonly<Record<string, { readonly statistics: Readonly<Record<string, readonly string[]>> }>>;
}

let raw: Awaited<ReturnType<typeof rawBatch>>;
const chains = new Map<Start, Chain>();
const reports = new Map<string, Report>();

const nameOf = (start: Start, stage: Stage): string => `${start}-${stage}`.replaceAll(" ", "-");
const outputOf = (start: Start, stage: Stage): string => join(root, `${nameOf(start, stage)}.safetensors`);

const observationOf = (start: Start): string => join(root, `${start}.safetensors`);

const noiseOf = (start: Start): HostArray =>
  scope(() => {
    using generator = new Generator(chunkSizeOf(start));
    return sampleNoise([raw.tasks.length, chunkSizeOf(start), 8], generator).toHost();
  });

beforeAll(async () => {
  raw = await rawBatch();
  const observations = Object.entries(raw.arrays).filter(([name]) => name.startsWith("observation."));
  for (const start of Object.keys(STARTS) as Start[]) {
    chains.set(start, await trainChain(join(root, start), start));
    const given = [...observations, ["noise", noiseOf(start)] as const];
    await writeSafetensors(observationOf(start), new Map(given.map(([name, array]) => [name, sourceOf(array)])));
  }
  const jobs = JOBS.map(({ start, stage }) => ({
    checkpoint: realpathSync(lastCheckpoint(chains.get(start)![stage])),
    observation: observationOf(start),
    num_steps: numStepsOf(stage),
    output: outputOf(start, stage),
  }));
  const flags = ["--jobs", JSON.stringify(jobs), "--tasks", JSON.stringify(raw.tasks)];
  const found = JSON.parse(await runPythonScript("load_stages.py", flags, { cwd: FIXTURE })) as Report[];
  for (const [i, { start, stage }] of JOBS.entries()) reports.set(nameOf(start, stage), found[i]!);
}, TIMEOUT_MS);

describe.each(JOBS)("$stage from $start", ({ start, stage }) => {
  it("is loaded by stock LeRobot, strictly and with its training state, which would write the same files", () => {
    const report = reports.get(nameOf(start, stage))!;
    expect([report.config, report.train_config]).toEqual([{}, {}]);
    expect(report.training_state).toMatchObject({ step: 2, last_epoch: 2 });
    expect(Object.keys(report.processors)).toHaveLength(2);
    for (const { statistics } of Object.values(report.processors)) {
      expect(statistics.action).toEqual(expect.arrayContaining(["mean", "std"]));
    }
  });

  it("acts in stock LeRobot as it acts here, normalised and in the robot's units", async () => {
    const folder = policyOf(chains.get(start)![stage]);
    const policy = await SmolVLAPolicy.load(folder, { device: "cpu" });
    onTestFinished(() => policy.dispose());
    const theirs = await readSafetensors(outputOf(start, stage));
    const ours = policy.predict(raw, { noise: noiseOf(start), numSteps: numStepsOf(stage) });
    expect(largestDifference(ours.chunk, theirs.get("chunk")!)).toBeLessThanOrEqual(TOLERANCE);
    expect(largestDifference(ours.robotChunk, theirs.get("robot_chunk")!)).toBeLessThanOrEqual(TOLERANCE);
  });
});

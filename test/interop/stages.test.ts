/** Every stage, from a base model, from nothing and from a trained policy to a distilled 3-RF, beside stock LeRobot. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
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
  readonly policy: object;
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

const noiseOf = (start: Start): HostArray =>
  scope(() => {
    using generator = new Generator(chunkSizeOf(start));
    return sampleNoise([raw.tasks.length, chunkSizeOf(start), 8], generator).toHost();
  });

beforeAll(async () => {
  raw = await rawBatch();
  for (const start of Object.keys(STARTS) as Start[]) {
    chains.set(start, await trainChain(start, "--use_temporary=none"));
  }
}, TIMEOUT_MS);

/**
 * Known ways to spoil a policy by reflow, each done on purpose: what it does to the actions although a loss falls, and what
 * here names it or rules it out.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { euler, SOLVERS, sampleNoise, solve } from "../../src/flow/index.js";
import { cosineDecayWithWarmup } from "../../src/optim/index.js";
import { type Prediction, SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { actionDim } from "../../src/smolvla/config.js";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import {
  constantPad,
  Generator,
  mulScalar,
  noGrad,
  scope,
  slice,
  sub,
  type Tensor,
  tensorFromHost,
} from "../../src/torch/index.js";
import type { Coupling } from "../../src/train/couplings/coupling.js";
import { carryNoise, teacherPairs } from "../../src/train/couplings/teacher.js";
import { HealthWatch } from "../../src/train/health/index.js";
import { type AgreementProbe, agreementRows } from "../../src/train/held-out.js";
import { loadTeacher, rawBatch, recorded, relativeL2 } from "../parity/fixture.js";
import { teacherOf } from "../parity/objectives.js";
import { openTeacherProbe, type TrainedStudent, trainStudent } from "./defect-run.js";
import {
  changedNames,
  lastCheckpoint,
  RUNS,
  TEACHER,
  teacherWith,
  temporaryFolder,
  train,
  trainedWeights,
  tryTraining,
  weightsOf,
} from "./training-run.js";

const NORMALIZER = "policy_preprocessor_step_5_normalizer_processor.safetensors";
const UNNORMALIZER = "policy_postprocessor_step_0_unnormalizer_processor.safetensors";

async function healthyTeacher(): Promise<SmolVLAPolicy> {
  const teacher = await loadTeacher();
  onTestFinished(() => teacher.dispose());
  return teacher;
}

/** What a policy folder does on the recorded observations and noise, as a robot would run it. */
async function actionsOf(folder: string): Promise<Prediction> {
  const policy = await SmolVLAPolicy.load(folder, { device: "cpu" });
  onTestFinished(() => policy.dispose());
  const noise = (await recorded("parity/forward.safetensors")).get("noise")!;
  return policy.predict(await rawBatch(), { noise, numSteps: 10 });
}

/** Replaces the statistics of a policy folder's processors, in both files. */
async function editStatistics(folder: string, change: (name: string, value: HostArray) => HostArray | undefined) {
  for (const file of [NORMALIZER, UNNORMALIZER]) {
    const path = join(folder, file);
    const kept = [...(await readSafetensors(path))].flatMap(([name, value]) => {
      const changed = change(name, value);
      return changed === undefined ? [] : [[name, sourceOf(changed)] as const];
    });
    await writeSafetensors(path, new Map(kept));
  }
}

const reflowOf = (teacher: string): string[] => [...RUNS.reflow, `--policy.teacher_model_path=${teacher}`, "--steps=1"];

describe("processors without statistics", () => {
  /** The teacher's own weights beside processors that were made without a dataset, as their files then are. */
  const stripped = (): string =>
    teacherWith((folder) => {
      for (const name of ["policy_preprocessor.json", "policy_postprocessor.json"]) {
        const path = join(folder, name);
        writeFileSync(path, readFileSync(path, "utf8").replace(/,\s*"state_file": "[^"]*"/, ""));
      }
    });

  it("make the very weights of a good policy act wrongly: raw states in, normalised actions out", async () => {
    const [healthy, spoilt] = [await actionsOf(TEACHER), await actionsOf(stripped())];
    console.log(relativeL2(spoilt.chunk, healthy.chunk), relativeL2(spoilt.robotChunk, healthy.robotChunk));
    expect(spoilt.robotChunk).toEqual(spoilt.chunk);
    expect(relativeL2(spoilt.robotChunk, healthy.robotChunk)).toBeGreaterThan(0.5);
  });

  it("resume", async () => {
    const run = await train(...RUNS["flow matching"], "--steps=1");
    const policy = join(lastCheckpoint(run), "pretrained_model");
    await editStatistics(policy, () => undefined);
    console.log(await tryTraining(run, "--resume=true", "--steps=2"));
    const run2 = await train(...RUNS.reflow, "--steps=1");
    await editStatistics(join(lastCheckpoint(run2), "pretrained_model"), () => undefined);
    console.log(await tryTraining(run2, "--resume=true", "--steps=2"));
  });
  it("empty", async () => {
    const folder = teacherWith(() => {});
    await editStatistics(folder, () => undefined);
    console.log(await tryTraining(temporaryFolder(), ...reflowOf(folder)));
    const folder2 = teacherWith(() => {});
    await editStatistics(folder2, (name, value) => ({ ...value, data: Float32Array.from(value.data as Float32Array, (x) => 2*x+1) }) as never);
    const [healthy, spoilt] = [await actionsOf(TEACHER), await actionsOf(folder2)];
    console.log(relativeL2(spoilt.chunk, healthy.chunk), relativeL2(spoilt.robotChunk, healthy.robotChunk));
    console.log(await tryTraining(temporaryFolder(), ...RUNS.reflow, "--steps=1", `--policy.path=${folder2}`));
  });
});

/** The moving average of the weights as a run's policy. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toCheckpointName } from "../../src/smolvla/checkpoint-names.js";
import { type HostArray, hostArray, numbersOf } from "../../src/support/host-array.js";
import { observe } from "./coupling-run.js";
import {
  completeResult,
  continueFrom,
  differingFiles,
  largestRelativeDistance,
  metricOf,
  policyOf,
  policyWeights,
  provenanceOf,
  rawWeights,
  recordsOf,
} from "./run-results.js";
import { changedNames, filesIn, RUNS, TEACHER, train, weightsOf } from "./training-run.js";

/** A ceiling that the ramp (0.18, 0.25, 0.31, ...) reaches at the second update. */
const DECAY = 0.25;
const EMA = [`--ema.decay=${DECAY}`, "--save_freq=1", "--steps=4"];
const TRAINED_FILE = "training_state/reflow_trained_weights.safetensors";

type Weights = ReadonlyMap<string, HostArray>;

/** `shadow <- d_n shadow + (1 - d_n) value` with `d_n = min(d, (1 + n) / (10 + n))`, for the tensors of `values`. */
function averaged(shadows: Weights, values: Weights, n: number): Weights {
  const d = Math.min(DECAY, (1 + n) / (10 + n));
  return new Map(
    [...values].map(([name, value]) => {
      const before = numbersOf(shadows.get(name)!);
      const mean = numbersOf(value).map((x, i) => d * before[i]! + (1 - d) * x);
      return [name, hostArray("float32", value.shape, Float32Array.from(mean))];
    }),
  );
}

describe("a run with an average", () => {
  it("trains what it trains without, and saves the recursion over the weights of every step", async () => {
    const run = await train(...RUNS.reflow, ...EMA);
    const plain = await train(...RUNS.reflow, "--save_freq=1", "--steps=4");
    let shadows: Weights = await weightsOf(TEACHER);
    for (const step of [1, 2, 3, 4]) {
      const raw = await rawWeights(run, step);
      expect(changedNames(raw, await policyWeights(plain, step))).toEqual([]);
      shadows = averaged(shadows, raw, step);
      const saved = await policyWeights(run, step);
      expect(largestRelativeDistance(saved, shadows)).toBeLessThan(1e-6);
      expect(largestRelativeDistance(saved, raw)).toBeGreaterThan(1e-4);
    }
    expect(provenanceOf(run)).toMatchObject({ k: 2, ema: { decay: DECAY } });
    expect(provenanceOf(plain)).not.toHaveProperty("ema");
  });

  it.each(["fp32", "bf16"])("continued in between is the unbroken one, bit by bit: %s", async (precision) => {
    for (const flags of [RUNS.reflow, RUNS["flow matching of all weights"]]) {
      const run = await train(...flags, ...EMA, `--precision=${precision}`);
      expect(Object.keys(completeResult(run))).toContain(TRAINED_FILE);
      expect(provenanceOf(run)).toMatchObject({ ema: { decay: DECAY } });
      expect(differingFiles(await continueFrom(run, 2), run)).toEqual([]);
    }
  });

  it("continued without it goes on from the trained weights, not from their average", async () => {
    const run = await train(...RUNS.reflow, ...EMA);
    const without = await continueFrom(run, 2, "--ema.decay=null");
    const plain = await train(...RUNS.reflow, "--steps=4");
    expect(differingFiles(without, plain)).toEqual([]);
    expect(filesIn(join(without, "checkpoints/000004"))).not.toContain(TRAINED_FILE);
  });

  it("that begins to average when it is continued begins at the weights of that step", async () => {
    const plain = await train(...RUNS.reflow, "--steps=4", "--save_freq=1");
    const run = await continueFrom(plain, 2, `--ema.decay=${DECAY}`);
    let shadows: Weights = await policyWeights(plain, 2);
    for (const n of [1, 2]) shadows = averaged(shadows, await policyWeights(plain, 2 + n), n);
    expect(largestRelativeDistance(await policyWeights(run), shadows)).toBeLessThan(1e-6);
    expect(changedNames(await rawWeights(run), await policyWeights(plain))).toEqual([]);
  });

  it("is measured by its average", async () => {
    const measured = [
      "--eval_freq=4",
      "--held_out.num_observations=2",
      "--held_out.num_noises=2",
      "--held_out.reference_steps=4",
    ];
    const evaluations = async (run: string) => (await recordsOf(run, "evaluation")).map(({ metrics }) => metrics);
    const run = await train(...RUNS.reflow, ...EMA, ...measured);
    // The saved policy as a student of the same teacher, measured before its first step.
    const again = await train(...RUNS.reflow, ...measured, `--policy.path=${policyOf(run)}`, "--steps=1");
    const plain = await train(...RUNS.reflow, ...measured, "--steps=4");
    const [[, last], [expected], [, raw]] = [
      await evaluations(run),
      await evaluations(again),
      await evaluations(plain),
    ];
    const [error, errorOfSaved, errorOfRaw] = [last, expected, raw].map(
      (metrics) => metrics!["eval/relative_error_10"]!,
    );
    expect(Math.abs(error! / errorOfSaved! - 1)).toBeLessThan(1e-4);
    expect(Math.abs(error! / errorOfRaw! - 1)).toBeGreaterThan(1e-3);
    expect(await metricOf(run, "loss")).toEqual(await metricOf(plain, "loss")); // measuring changes nothing
  });

  it("gives its average to the next round as the teacher that makes the pairs", async () => {
    const first = await train(...RUNS.reflow, ...EMA);
    const { run, teacher, step } = await observe(`--policy.teacher_model_path=${first}`, "--steps=1");
    const saved = await policyWeights(first);
    for (const [name, parameter] of run.teacher!.model.namedParameters()) {
      expect(parameter.toNumbers(), name).toEqual(numbersOf(saved.get(toCheckpointName(name))!));
    }
    await step();
    expect(teacher.velocities).toHaveLength(2); // its solver steps
    const second = await train(...RUNS.reflow, `--policy.teacher_model_path=${first}`, "--steps=1");
    const sha256 = createHash("sha256")
      .update(readFileSync(join(policyOf(first), "model.safetensors")))
      .digest("hex");
    expect(provenanceOf(second)).toMatchObject({ k: 3, teacher: { k: 2, weightsSha256: sha256 } });
  });
});

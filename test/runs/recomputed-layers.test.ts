/** Training that recomputes the expert's layers in the backward pass. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it, vi } from "vitest";
import { observe } from "./coupling-run.js";
import { continueFrom, differingFiles, largestRelativeDistance, optimizerState, policyWeights } from "./run-results.js";
import { DATASET, RUNS, TEACHER, temporaryFolder, train, weightsOf } from "./training-run.js";

const RECOMPUTED = "--gradient_checkpointing=true";

const KINDS: Readonly<Record<string, readonly string[]>> = {
  reflow: RUNS.reflow,
  "reflow in bf16": [...RUNS.reflow, "--precision=bf16"],
  "reflow of an adapter": [...RUNS.reflow, "--peft.r=4"],
  "reflow of an adapter in bf16": [...RUNS.reflow, "--peft.r=4", "--precision=bf16"],
  "reflow with several noises": [...RUNS.reflow, "--reflow.noises_per_observation=2"],
  "flow matching": RUNS["flow matching"],
  "flow matching of all weights": RUNS["flow matching of all weights"],
};

describe.each(Object.entries(KINDS))("%s", (_, flags) => {
  it("gives the weights and gradients that it gives without, within 1e-6, also when it is continued with", async () => {
    const with_ = await train(...flags, RECOMPUTED, "--steps=4");
    const without = await train(...flags, "--steps=4", "--save_freq=2");
    expect(largestRelativeDistance(await policyWeights(with_), await policyWeights(without))).toBeLessThanOrEqual(1e-6);
    const [a, b] = [await optimizerState(with_), await optimizerState(without)];
    expect(largestRelativeDistance(a, b)).toBeLessThanOrEqual(1e-5);
    expect(largestRelativeDistance(await policyWeights(with_), await weightsOf(TEACHER))).toBeGreaterThan(1e-4);
    const switched = await policyWeights(await continueFrom(without, 2, RECOMPUTED));
    expect(largestRelativeDistance(switched, await policyWeights(without))).toBeLessThanOrEqual(1e-6);
  });
});

describe("gradient_checkpointing", () => {
  it("computes every layer of the student twice a step, and none of the teacher's", async () => {
    const timesComputed = async (...flags: readonly string[]): Promise<number[]> => {
      const { run, step } = await observe("--steps=1", "--policy.reflow_num_inference_steps=1", ...flags);
      const layersOf = ({ model }: typeof run.policy) =>
        [...model.expert.layers].map((layer) => vi.spyOn(layer.down, "forward"));
      const [student, teacher] = [layersOf(run.policy), layersOf(run.teacher!)];
      await step();
      return [...student, ...teacher].map(({ mock }) => mock.calls.length);
    };
    const once = await timesComputed();
    const twice = await timesComputed(RECOMPUTED);
    expect(once).toEqual(once.map(() => 1));
    expect(twice).toEqual(once.map((_, i) => (i < once.length / 2 ? 2 : 1)));
  });

  it("gives the same bits when it is continued", async () => {
    const run = await train(...RUNS.reflow, RECOMPUTED, "--steps=4", "--save_freq=2");
    expect(differingFiles(await continueFrom(run, 2), run)).toEqual([]);
  });

  it.each([
    ["fp32", {}],
    ["bf16 with an adapter", { precision: "bf16", peft: { r: 4 } }],
  ])("keeps as many tensors at every step, and none after the end: %s", async (_, more) => {
    const settings = {
      policy: { use_reflow: true, teacher_model_path: TEACHER, reflow_num_inference_steps: 1, device: "cpu" },
      dataset: { root: DATASET },
      output_dir: temporaryFolder(),
      batch_size: 2,
      steps: 8,
      eval_freq: 0,
      num_workers: 0,
      gradient_checkpointing: true,
      ...more,
    };
    const args = ["--expose-gc", "test/memory/train-many-steps.mjs", JSON.stringify(settings)];
    const env = { ...process.env, OMP_NUM_THREADS: "1" };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    const { liveTensors, leftTensors } = JSON.parse(stdout) as { liveTensors: number[]; leftTensors: number };
    expect(liveTensors).toHaveLength(8);
    expect(new Set(liveTensors.slice(1)).size).toBe(1);
    expect(leftTensors).toBe(0);
  });
});

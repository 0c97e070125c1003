/** What a training run keeps: nothing more after any number of steps, and nothing at all after its end. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { FIXTURE } from "../parity/fixture.js";

const NUM_STEPS = 300;
/** Caches of video frames and of the allocator fill first. */
const NUM_WARM_STEPS = 100;
/** For what the allocator and the garbage collector do in between. Pixels forgotten at each step would come to 40 MB. */
const SLACK_MB = 24;

interface Report {
  readonly liveTensors: readonly number[];
  readonly residentMB: readonly number[];
  readonly leftTensors: number;
  readonly resources: readonly string[];
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

it.each([
  ["reflow", { use_reflow: true, teacher_model_path: resolve(FIXTURE, "teacher"), reflow_num_inference_steps: 1 }],
  ["flow matching", { path: resolve(FIXTURE, "teacher") }],
])(
  `%s keeps as many tensors and as much memory after ${NUM_STEPS} steps as before, and nothing after its end`,
  async (_, policy) => {
    const folder = await mkdtemp(join(tmpdir(), "reflow-memory-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const settings = {
      policy: { ...policy, device: "cpu" },
      dataset: { root: resolve(FIXTURE, "dataset-v3.0") },
      output_dir: folder,
      batch_size: 2,
      steps: NUM_STEPS,
      save_freq: 100,
      num_workers: 1,
    };
    const args = ["--expose-gc", "test/memory/train-many-steps.mjs", JSON.stringify(settings)];
    // Ends by itself: the script calls no exit, so a thread or a file left open would keep it until the timeout.
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, OMP_NUM_THREADS: "1" },
      timeout: 60_000,
    });
    const report = JSON.parse(stdout) as Report;
    expect(report.liveTensors).toHaveLength(NUM_STEPS);
    expect(new Set(report.liveTensors).size).toBe(1);
    const early = mean(report.residentMB.slice(NUM_WARM_STEPS, NUM_WARM_STEPS + 20));
    const late = mean(report.residentMB.slice(-20));
    expect(late - early).toBeLessThan(SLACK_MB);
    expect(report.leftTensors).toBe(0);
    expect(report.resources).toEqual([]);
  },
);

/** Several batches for one optimizer step. */
import { describe, expect, it } from "vitest";
import { type HostArray, hostArray, numbersOf } from "../../src/support/host-array.js";
import {
  continueFrom,
  differingFiles,
  largestRelativeDistance,
  metricOf,
  optimizerState,
  policyWeights,
} from "./run-results.js";
import { RUNS, TEACHER, temporaryFolder, train, trainIn, weightsOf } from "./training-run.js";

const TWO = "--gradient_accumulation=2";
/** With this first beta the first moment is the last gradient itself. */
const GRADIENTS = [
  "--policy.optimizer_betas=[0,0.95]",
  "--policy.optimizer_grad_clip_norm=0",
  "--save_freq=1",
  "--log_freq=1",
];
/** Updates so small that float32 weights do not change, so that each step has the gradient of the start. */
const STANDING = ["--policy.optimizer_lr=1e-30", "--policy.scheduler_decay_lr=0"];

type Tensors = ReadonlyMap<string, HostArray>;

const gradients = async (run: string, step?: number): Promise<Tensors> =>
  new Map([...(await optimizerState(run, step))].filter(([name]) => name.endsWith("/exp_avg")));

const mean = (a: Tensors, b: Tensors): Tensors =>
  new Map(
    [...a].map(([name, array]) => {
      const other = numbersOf(b.get(name)!);
      const values = numbersOf(array).map((value, i) => (value + other[i]!) / 2);
      return [name, hostArray("float32", array.shape, Float32Array.from(values))];
    }),
  );

const jointNorm = (tensors: Tensors): number =>
  Math.hypot(...[...tensors.values()].map((t) => Math.hypot(...numbersOf(t))));

describe.each(["reflow", "flow matching", "flow matching of all weights"] as const)("two batches of %s", (kind) => {
  it("make one step by the mean of their gradients and losses", async () => {
    const single = await train(...RUNS[kind], ...GRADIENTS, ...STANDING, "--steps=2");
    const double = await train(...RUNS[kind], ...GRADIENTS, TWO, "--steps=1");
    const [first, second] = [await gradients(single, 1), await gradients(single, 2)];
    const expected = mean(first, second);
    expect(largestRelativeDistance(second, first)).toBeGreaterThan(0.1);
    expect(largestRelativeDistance(await gradients(double), expected)).toBeLessThan(1e-4);
    const [norm] = await metricOf(double, "grad_norm");
    expect(Math.abs(norm! / jointNorm(expected) - 1)).toBeLessThan(1e-5);
    const [a, b] = await metricOf(single, "loss");
    expect((await metricOf(double, "loss"))[0]).toBeCloseTo((a! + b!) / 2, 6);
  });
});

describe("gradient accumulation", () => {
  it("updates once per step: with one Adam step every weight moves by the learning rate at most", async () => {
    const run = await train(...RUNS.reflow, TWO, "--steps=1");
    const [before, after] = [await weightsOf(TEACHER), await policyWeights(run)];
    const moves = [...after].map(([name, array]) => {
      const was = numbersOf(before.get(name)!);
      return numbersOf(array).reduce((most, value, i) => Math.max(most, Math.abs(value - was[i]!)), 0);
    });
    expect(Math.max(...moves)).toBeGreaterThan(0.99e-3);
    expect(Math.max(...moves)).toBeLessThan(1.01e-3);
    const numUpdates = [...(await optimizerState(run))].filter(([name]) => name.endsWith("/step"));
    expect(new Set(numUpdates.flatMap(([, array]) => numbersOf(array)))).toEqual(new Set([1]));
  });

  it("counts all samples, and goes on counting when it is continued", async () => {
    const run = await train(...RUNS.reflow, TWO, "--steps=3", "--save_freq=1", "--log_freq=1");
    expect(await metricOf(run, "samples")).toEqual([4, 8, 12]);
    expect((await metricOf(run, "epochs"))[2]).toBeCloseTo(12 / 389, 10);
    const folder = temporaryFolder();
    const config = `--config_path=${run}/checkpoints/000001/pretrained_model/train_config.json`;
    expect(await trainIn(folder, "--resume=true", config)).toMatch(/step:2 smpl:8 /);
    expect(await metricOf(folder, "samples")).toEqual([8, 12]);
  });

  it.each(["reflow", "flow matching of a new policy"] as const)(
    "gives the same bits continued in between and with workers, and others than larger batches: %s",
    async (kind) => {
      const flags = [...RUNS[kind], "--steps=4", "--save_freq=1"];
      const run = await train(...flags, TWO);
      for (const workers of [0, 3]) {
        expect(differingFiles(await continueFrom(run, 3, `--num_workers=${workers}`), run)).toEqual([]);
      }
      expect(differingFiles(await train(...flags, TWO, "--num_workers=2"), run)).toEqual([]);
      expect(differingFiles(await train(...flags), run)).not.toEqual([]);
    },
  );
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { RunRecorder } from "../../records/run-recorder.js";
import { parseTrainConfig } from "../../train/config.js";
import type { Stage } from "./plan-stages.js";
import { secondsLeft } from "./time-left.js";

const root = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "reflow-time-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** A stage with 2 observations in a batch, unless it is told otherwise. */
function stage(folder: string, name: string, kind: Stage["kind"], steps: number, settings: object = {}): Stage {
  const outputDir = join(folder, name);
  const { config } = parseTrainConfig({
    policy: { type: "smolvla", reflow_num_inference_steps: 5 },
    dataset: { root: "x" },
    output_dir: outputDir,
    batch_size: 2,
    steps,
    ...settings,
  });
  return { name, kind, folderName: name, config, warnings: [], isChained: true, resultFolder: outputDir };
}

/** Records of a run that went on from a step to another, in so many seconds. */
function record({ config }: Stage, from: number, to: number, seconds: number): void {
  const times = [0, seconds].map((s) => new Date(s * 1000));
  using recorder = new RunRecorder(config.outputDir, { now: () => times.shift()! });
  recorder.record({ event: "run-start", step: from, config: {}, versions: {} });
  recorder.record({ event: "end", step: to, reason: "completed" });
}

it("the time left is that of steps of the same kind, and unknown before the first step", async () => {
  const folder = root();
  const first = stage(folder, "first", "reflow", 10);
  const second = stage(folder, "second", "reflow", 20);
  const left = (...steps: number[]): Promise<number | undefined> =>
    secondsLeft([first, second].map((one, i) => ({ stage: one, step: steps[i]! })));
  expect(await left(0, 0)).toBeUndefined();
  record(first, 0, 10, 20);
  expect(await left(10, 0)).toBe(20 * 2);
  record(second, 0, 4, 12);
  // Of a run that was continued, the latest part counts; one without a step says nothing.
  record(second, 4, 8, 4);
  expect(await left(10, 8)).toBe(12 * 1);
  expect(await left(0, 20)).toBe(10 * 1);
  record(second, 20, 20, 1);
  expect(await left(10, 18)).toBe(2 * 2);
});

it("the time left of a kind that has not run yet is guessed from what a step of it asks of the networks", async () => {
  const folder = root();
  // Encoding and one velocity, each forwards and backwards: 6 passes for each of 2 observations.
  const flow = stage(folder, "flow", "flow_matching", 10, { policy: { type: "smolvla", train_expert_only: false } });
  record(flow, 0, 10, 24);
  const secondsOf = async (settings: object): Promise<number> => {
    const reflow = stage(folder, "reflow", "reflow", 1, settings);
    const left = [
      { stage: flow, step: 10 },
      { stage: reflow, step: 0 },
    ];
    return (await secondsLeft(left))!;
  };
  const perPass = 24 / 10 / (2 * 6);
  // One encoding, one velocity forwards and backwards, five evaluations of the teacher.
  expect(await secondsOf({})).toBeCloseTo(perPass * 2 * (1 + 3 + 5), 9);
  const reflow = { teacher_solver: "heun", noises_per_observation: 4, pair_uses: 3 };
  expect(await secondsOf({ reflow, batch_size: 7 })).toBeCloseTo(perPass * 7 * (1 + 4 * (3 + 9 / 3)), 9);
  expect(await secondsOf({ reflow: { pairs: "pairs" } })).toBeCloseTo(perPass * 2 * (1 + 3), 9);
});

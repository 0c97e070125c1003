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

function stage(folder: string, name: string, kind: Stage["kind"], steps: number): Stage {
  const outputDir = join(folder, name);
  const { config } = parseTrainConfig({
    policy: { type: "smolvla" },
    dataset: { root: "x" },
    output_dir: outputDir,
    steps,
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

it("the time left is that of steps of the same kind, or of any, and unknown before the first step", async () => {
  const folder = root();
  const flow = stage(folder, "flow", "flow_matching", 10);
  const reflow = stage(folder, "reflow", "reflow", 20);
  const distill = stage(folder, "distill", "distill", 5);
  const left = (...steps: number[]): Promise<number | undefined> =>
    secondsLeft([flow, reflow, distill].map((one, i) => ({ stage: one, step: steps[i]! })));
  expect(await left(0, 0, 0)).toBeUndefined();
  record(flow, 0, 10, 20);
  expect(await left(10, 0, 0)).toBe(25 * 2);
  record(reflow, 0, 4, 12);
  // Of a run that was continued, the latest part counts; one without a step says nothing.
  record(reflow, 4, 8, 4);
  expect(await left(10, 8, 0)).toBe(12 * 1 + 5 * 1);
  expect(await left(0, 20, 5)).toBe(10 * 2);
  record(reflow, 20, 20, 1);
  expect(await left(10, 20, 0)).toBe(5 * 2);
});

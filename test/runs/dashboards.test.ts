/** What a run's dashboards show at the end: the same as its records, however often it was stopped and continued. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { readFields } from "../../src/records/protobuf.js";
import { readRecords } from "../../src/records/read-records.js";
import type { Metrics } from "../../src/records/run-event.js";
import { MockWandb } from "../../src/records/wandb/testing/mock-wandb.js";
import { continueRun, interruptAfter } from "./interrupted-run.js";
import { policyOf } from "./stage-chain.js";
import { RUNS, resultOf, temporaryFolder, train } from "./training-run.js";

/** Measured before the first step and at every second one, logged at each, saved at every second one. */
const FLAGS = [
  ...RUNS.reflow.filter((flag) => flag !== "--eval_freq=0"),
  ...["--eval_freq=2", "--held_out.num_observations=2", "--held_out.num_noises=2", "--held_out.reference_steps=3"],
  ...["--log_freq=1", "--save_freq=2", "--steps=6", "--reflow.time.share_at_atoms=0.5", "--reflow.pair_uses=1"],
];
const OFFLINE = ["--tensorboard=true", "--wandb.enable=true", "--wandb.mode=offline"];

/** Values by name, then by step. */
type Curves = Record<string, Record<number, number>>;

function addTo(curves: Curves, step: number, metrics: Metrics): void {
  for (const [name, value] of Object.entries(metrics)) {
    curves[name] ??= {};
    curves[name][step] = value;
  }
}

async function recordedCurves(run: string): Promise<Curves> {
  const curves: Curves = {};
  const { records } = await readRecords(join(run, "records.jsonl"));
  for (const record of records) {
    if (record.event === "step" || record.event === "evaluation") addTo(curves, record.step, record.metrics);
  }
  return curves;
}

/** What TensorBoard shows: files in the order of their names, each start superseding what is there from its step on. */
function tensorBoardCurves(run: string): Curves {
  const curves: Curves = {};
  const folder = join(run, "tensorboard");
  for (const name of readdirSync(folder).sort()) {
    const file = readFileSync(join(folder, name));
    for (let at = 0; at < file.length; ) {
      const length = Number(file.readBigUInt64LE(at));
      const event = readFields(file.subarray(at + 12, at + 12 + length));
      at += 12 + length + 4;
      const fieldOf = (field: number) => event.find((found) => found.field === field)?.value;
      const step = Number(fieldOf(2) ?? 0);
      if (fieldOf(7) !== undefined) {
        for (const [name, points] of Object.entries(curves)) {
          for (const known of Object.keys(points)) if (Number(known) >= step) delete points[Number(known)];
          if (Object.keys(points).length === 0) delete curves[name];
        }
      }
      const summary = fieldOf(5);
      if (!Buffer.isBuffer(summary)) continue;
      for (const { value } of readFields(summary)) {
        const [tag, scalar] = [1, 2].map(
          (field) => readFields(value as Buffer).find((found) => found.field === field)?.value,
        );
        if (Buffer.isBuffer(scalar)) addTo(curves, step, { [String(tag)]: scalar.readFloatLE() });
      }
    }
  }
  return curves;
}

const mapped = (curves: Curves, change: (value: number) => number): Curves =>
  Object.fromEntries(
    Object.entries(curves).map(([name, points]) => [
      name,
      Object.fromEntries(Object.entries(points).map(([step, value]) => [step, change(value)])),
    ]),
  );

const stepsOf = (curves: Curves, name: string): number[] => Object.keys(curves[name] ?? {}).map(Number);

/** The metrics that every measured reflow run has, at the steps where it has them. */
function expectAllMetrics(curves: Curves): void {
  for (const name of [
    "loss",
    "lr",
    "grad_norm",
    "update_s",
    "dataloading_s",
    "steps",
    "samples",
    "episodes",
    "epochs",
  ]) {
    expect([name, stepsOf(curves, `train/${name}`)]).toEqual([name, [1, 2, 3, 4, 5, 6]]);
  }
  for (const steps of [1, 2, 5, 10]) {
    for (const name of ["relative_error", "noise_explained", "spread_ratio"]) {
      expect([name, stepsOf(curves, `eval/${name}_${steps}`)]).toEqual([name, [0, 2, 4, 6]]);
    }
  }
  const times = Object.keys(curves).filter((name) => name.startsWith("train/loss_at_time/"));
  expect(times).toContain("train/loss_at_time/1");
  expect(times.filter((name) => /^train\/loss_at_time\/0\.\d-\d\.\d$/.test(name)).length).toBeGreaterThan(1);
}

const trainConfigIn = (policy: string): { wandb: { run_id: unknown; enable: unknown } } =>
  JSON.parse(readFileSync(join(policy, "train_config.json"), "utf8"));

const wandbRunsIn = (run: string): string[] =>
  readdirSync(join(run, "wandb"))
    .filter((name) => name.startsWith("offline-run-"))
    .map((name) => name.split("-").at(-1)!);

describe("TensorBoard", () => {
  it("shows every metric of the records at its step, in a run that was stopped and continued", async () => {
    const run = temporaryFolder();
    await interruptAfter(3, run, ...FLAGS, "--tensorboard=true");
    await continueRun(run);
    const shown = tensorBoardCurves(run);
    expectAllMetrics(shown);
    expect(shown).toEqual(mapped(await recordedCurves(run), Math.fround));
    expect(readdirSync(join(run, "tensorboard"))).toHaveLength(2);
  });

  it("forgets what a continuation from an earlier checkpoint repeats", async () => {
    const run = await train(...FLAGS, "--tensorboard=true");
    const config = join(run, "checkpoints/000002/pretrained_model/train_config.json");
    await continueRun(run, `--config_path=${config}`, "--steps=4");
    const shown = tensorBoardCurves(run);
    expect(stepsOf(shown, "train/loss")).toEqual([1, 2, 3, 4]);
    expect(stepsOf(shown, "eval/relative_error_1")).toEqual([0, 2, 4]);
    expect(shown).toEqual(mapped(await recordedCurves(run), Math.fround));
  });
});

describe("Weights & Biases", () => {
  it("gets one run of a training that was stopped and continued, with every metric of the records", async () => {
    await using server = await MockWandb.start();
    vi.stubEnv("WANDB_BASE_URL", server.url);
    vi.stubEnv("WANDB_API_KEY", "0123456789".repeat(4));
    onTestFinished(() => void vi.unstubAllEnvs());
    const run = temporaryFolder();
    await interruptAfter(3, run, ...FLAGS, "--wandb.enable=true", "--wandb.mode=online", "--wandb.project=straight");
    await continueRun(run);
    const [id, ...others] = [...server.runs.keys()];
    expect(others).toEqual([]);
    const kept = server.run(id!)!;
    expect([kept.path, kept.exitCode]).toEqual([`somebody/straight/${id}`, 0]);
    const shown: Curves = {};
    for (const row of kept.rows) {
      const { _step: step, ...metrics } = JSON.parse(row) as Metrics & { _step: number };
      addTo(shown, step, Object.fromEntries(Object.entries(metrics).filter(([name]) => !name.startsWith("_"))));
    }
    expectAllMetrics(shown);
    expect(shown).toEqual(await recordedCurves(run));
    for (const name of ["000002", "000003", "000004", "000006"]) {
      expect(trainConfigIn(join(run, "checkpoints", name, "pretrained_model")).wandb.run_id).toBe(id);
    }
  });

  it("keeps a run's id in its checkpoints, also where it is continued offline and elsewhere", async () => {
    const run = temporaryFolder();
    await interruptAfter(3, run, ...FLAGS, ...OFFLINE);
    const [id, ...others] = wandbRunsIn(run);
    expect(others).toEqual([]);
    expect(trainConfigIn(policyOf(run)).wandb).toMatchObject({ enable: true, run_id: id });
    await continueRun(run);
    expect(new Set(wandbRunsIn(run))).toEqual(new Set([id]));
    const elsewhere = temporaryFolder();
    const config = join(run, "checkpoints/000002/pretrained_model/train_config.json");
    await continueRun(elsewhere, `--config_path=${config}`);
    expect(new Set(wandbRunsIn(elsewhere))).toEqual(new Set([id]));
    expect(trainConfigIn(policyOf(elsewhere)).wandb.run_id).toBe(id);
  });
});

it("dashboards change nothing in the training, nor does stopping it", async () => {
  const run = temporaryFolder();
  await interruptAfter(3, run, ...FLAGS, ...OFFLINE);
  await continueRun(run);
  expect(resultOf(run).equals(resultOf(await train(...FLAGS)))).toBe(true);
});

/** The logs of a run as the programs read them for which they are written: TensorBoard, and the client of Weights & Biases. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LogSinkRequest, openLogSinks } from "../../src/records/index.js";
import type { RunEvent, RunStartEvent } from "../../src/records/run-event.js";
import { MockWandb, stepsOf } from "../../src/records/wandb/testing/mock-wandb.js";
import { runPythonScript } from "./python-env.mjs";

let runFolder: string;
beforeEach(() => {
  runFolder = mkdtempSync(join(tmpdir(), "logs-"));
});
afterEach(() => rmSync(runFolder, { recursive: true }));

const WANDB = {
  ...{ enable: false, project: "pusht", entity: "lab", notes: "two\nlines", runId: "abc12345" },
  mode: "offline",
} as const;

/** Longer than a block of a `.wandb` file, and not only ASCII. */
const LONG = "Schräge Würfel ".repeat(4_000);

const start = (step: number): RunStartEvent => ({
  event: "run-start",
  step,
  config: { batch_size: 8, policy: { repo_id: null, lr: 1e-5 }, rename_map: { long: LONG } },
  versions: { reflow: "0.1.0" },
});

const loss = (step: number, value = 1 / step): RunEvent => ({
  ...{ event: "step", step },
  metrics: {
    "train/loss": value,
    "train/loss_at_time/0.9-1.0": Number.NaN,
    "train/grad_norm": Number.POSITIVE_INFINITY,
  },
});

async function log(request: Partial<LogSinkRequest>, ...events: readonly RunEvent[]): Promise<void> {
  const sink = openLogSinks({
    ...{ runFolder, jobName: "straight", tags: ["policy:smolvla", "seed:1000"], resume: false, tensorboard: false },
    ...{ wandb: WANDB, environment: {}, onMessage: () => {}, ...request },
  });
  for (const event of events) sink.record(event);
  await sink.close();
}

describe("TensorBoard", () => {
  interface Shown {
    readonly scalars: Readonly<Record<string, readonly (readonly [number, number | string])[]>>;
    readonly texts: Readonly<Record<string, readonly (readonly [number, string])[]>>;
  }
  const shown = async (): Promise<Shown> =>
    JSON.parse(await runPythonScript("read_tensorboard.py", ["--folder", join(runFolder, "tensorboard")])) as Shown;

  it("shows the metrics of a run under LeRobot's names, its configuration and its messages", async () => {
    await log(
      { tensorboard: true },
      start(0),
      { event: "warning", step: 0, message: "seed has no effect" },
      loss(10, 0.5),
      loss(20, 0.25),
      { event: "evaluation", step: 20, metrics: { action_error: -0.125 } },
      { event: "checkpoint", step: 20, path: "checkpoints/000020" },
      { event: "end", step: 20, reason: "completed" },
    );
    const { scalars, texts } = await shown();
    expect(scalars).toEqual({
      "train/loss": [
        [10, 0.5],
        [20, 0.25],
      ],
      "train/loss_at_time/0.9-1.0": [
        [10, "nan"],
        [20, "nan"],
      ],
      "train/grad_norm": [
        [10, "inf"],
        [20, "inf"],
      ],
      "eval/action_error": [[20, -0.125]],
    });
    const [[, config]] = texts["config/text_summary"] as [readonly [number, string]];
    expect(JSON.parse(config.replace(/^```json|```$/g, ""))).toEqual(start(0).config);
    expect(texts).toMatchObject({
      "warning/text_summary": [[0, "seed has no effect"]],
      "checkpoint/text_summary": [[20, "`checkpoints/000020`"]],
      "end/text_summary": [[20, "completed"]],
    });
  });

  it("joins the parts of a run that continued, and forgets what was repeated", async () => {
    await log({ tensorboard: true }, start(0), loss(10), loss(20), loss(30, 9), loss(40, 9));
    await log({ tensorboard: true, resume: true }, start(20), loss(30, 0.5), loss(40, 0.25));
    expect((await shown()).scalars["train/loss"]).toEqual([
      [10, Math.fround(0.1)],
      [20, Math.fround(0.05)],
      [30, 0.5],
      [40, 0.25],
    ]);
    await log({ tensorboard: true, resume: true }, start(20), loss(30, 0.125));
    expect((await shown()).scalars["train/loss"]?.slice(2)).toEqual([[30, 0.125]]);
  });
});

describe("Weights & Biases", () => {
  const enabled = { wandb: { ...WANDB, enable: true } };
  const offlineFolder = (): string => {
    const names = readdirSync(join(runFolder, "wandb")).filter((name) => name.startsWith("offline-run-"));
    expect(names).toHaveLength(1);
    return join(runFolder, "wandb", names[0]!);
  };
  type Record = Readonly<{ [kind: string]: { readonly [field: string]: unknown } }>;
  const records = async (): Promise<readonly Record[]> =>
    JSON.parse(
      await runPythonScript("read_wandb.py", ["--file", join(offlineFolder(), "run-abc12345.wandb")]),
    ) as Record[];
  const sync = (server: MockWandb): Promise<string> =>
    runPythonScript("read_wandb.py", ["--folder", offlineFolder(), "--url", server.url]);

  it("reads every record of a run that was kept offline", async () => {
    await log(enabled, start(0), loss(10, 0.5), { event: "end", step: 10, reason: "failed", message: "diverged" });
    const found = await records();
    expect(found.map((record) => Number(record.num))).toEqual(found.map((_, i) => i + 1));
    const kinds = ["header", "run", "environment", "history", "summary", "exit"];
    expect(found.map((record) => kinds.find((kind) => kind in record))).toEqual(kinds);
    expect(found[1]?.run).toMatchObject({
      ...{ run_id: "abc12345", entity: "lab", project: "pusht", display_name: "straight", notes: "two\nlines" },
      tags: ["policy:smolvla", "seed:1000"],
      job_type: "train_eval",
      config: {
        update: [
          { key: "batch_size", value_json: "8" },
          { key: "policy", value_json: '{"repo_id":null,"lr":0.00001}' },
          { key: "rename_map", value_json: JSON.stringify({ long: LONG }) },
          { key: "versions", value_json: '{"reflow":"0.1.0"}' },
        ],
      },
    });
    expect(found[3]?.history).toMatchObject({
      step: { num: "10" },
      item: expect.arrayContaining([
        { nested_key: ["train/loss"], value_json: "0.5" },
        { nested_key: ["train/loss_at_time/0.9-1.0"], value_json: "NaN" },
        { nested_key: ["train/grad_norm"], value_json: "Infinity" },
      ]) as unknown,
    });
    expect(found[5]?.exit).toMatchObject({ exit_code: 1 });
  });

  it("uploads it with `wandb sync`: description, configuration, every row, summary", async () => {
    const steps = Array.from({ length: 1_000 }, (_, i) => 10 * (i + 1));
    await log(
      enabled,
      start(0),
      ...steps.map((step) => loss(step)),
      { event: "evaluation", step: 10_000, metrics: { "eval/action_error": 0.125 } },
      { event: "end", step: 10_000, reason: "completed" },
    );
    await using server = await MockWandb.start();
    await sync(server);
    const run = server.run("abc12345")!;
    expect(run.path).toBe("lab/pusht/abc12345");
    expect(run.upserts[0]).toMatchObject({
      displayName: "straight",
      notes: "two\nlines",
      tags: ["policy:smolvla", "seed:1000"],
    });
    expect(JSON.parse(run.upserts[0]!.config as string)).toMatchObject({
      batch_size: { value: 8 },
      rename_map: { value: { long: LONG } },
    });
    expect(stepsOf(run.rows)).toEqual(steps);
    const last = JSON.parse(run.rows.at(-1)!.replaceAll(/NaN|Infinity/g, '"$&"')) as unknown;
    expect(last).toMatchObject({
      ...{ "train/loss": 1e-4, "train/loss_at_time/0.9-1.0": "NaN", "train/grad_norm": "Infinity" },
      "eval/action_error": 0.125,
    });
    expect(JSON.parse(run.summary!.replaceAll(/NaN|Infinity/g, '"$&"'))).toMatchObject(last as object);
    expect(run.files.has("config.yaml")).toBe(true);
  });

  it("uploads a run that continued as one, without what was repeated", async () => {
    await log(enabled, start(0), loss(10), loss(20), loss(30, 9), loss(40, 9), {
      event: "end",
      step: 40,
      reason: "failed",
    });
    await using server = await MockWandb.start();
    await sync(server);
    await log(
      { ...enabled, resume: true },
      { ...start(20), config: { batch_size: 16 } },
      loss(30, 0.5),
      loss(40, 0.25),
      loss(50, 0.125),
      { event: "end", step: 50, reason: "completed" },
    );
    await sync(server);
    const run = server.run("abc12345")!;
    expect(stepsOf(run.rows)).toEqual([10, 20, 30, 40, 50]);
    expect(run.rows.map((row) => Number(/"train\/loss": ?([^,}]+)/.exec(row)?.[1]))).toEqual([
      0.1, 0.05, 0.5, 0.25, 0.125,
    ]);
    const configs = run.upserts.map(({ config }) => JSON.parse(String(config ?? "{}")) as { batch_size?: unknown });
    expect(configs.at(-1)?.batch_size).toMatchObject({ value: 16 });
    expect((await records()).filter((record) => "exit" in record)).toHaveLength(1);
  });
});

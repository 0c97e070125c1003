/** The dashboards of a real run that was stopped and continued, as TensorBoard and the client of Weights & Biases read them. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readRecords } from "../../src/records/read-records.js";
import { continueRun, interruptAfter } from "../runs/interrupted-run.js";
import { RUNS } from "../runs/training-run.js";
import { runPythonScript } from "./python-env.mjs";

const TIMEOUT_MS = 240_000;
const FLAGS = [
  ...RUNS.reflow.filter((flag) => flag !== "--eval_freq=0"),
  ...["--eval_freq=2", "--held_out.num_observations=2", "--held_out.num_noises=2", "--held_out.reference_steps=3"],
  ...[
    "--log_freq=1",
    "--save_freq=2",
    "--steps=4",
    "--tensorboard=true",
    "--wandb.enable=true",
    "--wandb.mode=offline",
  ],
];

let run: string;
/** [step, value] by name */
type Curves = Readonly<Record<string, readonly (readonly [number, number])[]>>;
let recorded: Curves;

beforeAll(async () => {
  run = mkdtempSync(join(tmpdir(), "dashboards-"));
  await interruptAfter(3, run, ...FLAGS);
  await continueRun(run);
  const curves: Record<string, [number, number][]> = {};
  for (const record of (await readRecords(join(run, "records.jsonl"))).records) {
    if (record.event !== "step" && record.event !== "evaluation") continue;
    for (const [name, value] of Object.entries(record.metrics)) {
      curves[name] ??= [];
      curves[name].push([record.step, value]);
    }
  }
  recorded = curves;
  expect(recorded["train/loss"]!.map(([step]) => step)).toEqual([1, 2, 3, 4]);
  expect(recorded["eval/relative_error_1"]!.map(([step]) => step)).toEqual([0, 2, 4]);
}, TIMEOUT_MS);
afterAll(() => rmSync(run, { recursive: true, force: true }));

it(
  "TensorBoard shows the curves of the records",
  async () => {
    const text = await runPythonScript("read_tensorboard.py", ["--folder", join(run, "tensorboard")]);
    const { scalars } = JSON.parse(text) as { scalars: Curves };
    const rounded = Object.entries(recorded).map(([name, points]) => [
      name,
      points.map(([step, value]) => [step, Math.fround(value)]),
    ]);
    expect(scalars).toEqual(Object.fromEntries(rounded));
  },
  TIMEOUT_MS,
);

it(
  "the client of Weights & Biases reads the curves of the records, of one run",
  async () => {
    const folders = readdirSync(join(run, "wandb")).filter((name) => name.startsWith("offline-run-"));
    const id = folders[0]!.split("-").at(-1)!;
    const curves: Record<string, [number, number][]> = {};
    for (const folder of folders.sort()) {
      const file = join(run, "wandb", folder, `run-${id}.wandb`);
      const records = JSON.parse(await runPythonScript("read_wandb.py", ["--file", file])) as {
        readonly history?: { step: { num?: string }; item: { nested_key: [string]; value_json: string }[] };
      }[];
      for (const { history } of records) {
        for (const {
          nested_key: [name],
          value_json: value,
        } of history?.item ?? []) {
          if (name.startsWith("_")) continue;
          curves[name] ??= [];
          curves[name].push([Number(history!.step.num ?? 0), JSON.parse(value) as number]);
        }
      }
    }
    expect(curves).toEqual(recorded);
  },
  TIMEOUT_MS,
);

/** Runs that are stopped, killed, or fail on the way: what is saved stays whole, what is said can be acted on. */
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type DatasetRecipe, writeDataset } from "../../src/data/testing/write-dataset.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { readRecords } from "../../src/records/read-records.js";
import { openRunFolder } from "../../src/train/run-folder.js";
import {
  filesIn,
  lastCheckpoint,
  RUNS,
  resultOf,
  startProcess,
  temporaryFolder,
  train,
  trainIn,
  tryTraining,
} from "./training-run.js";

/** A rate that does not depend on how many steps are asked for, so that runs of different lengths can be compared. */
const CONSTANT_RATE = ["--policy.scheduler_decay_steps=1", "--policy.scheduler_decay_lr=1e-3"];

const endOf = async (run: string) => (await readRecords(join(run, "records.jsonl"))).records.at(-1);

async function expectLoadable(run: string): Promise<void> {
  const policy = await SmolVLAPolicy.load(join(lastCheckpoint(run), "pretrained_model"));
  policy.dispose();
}

describe("Ctrl-C", () => {
  it("finishes the step, saves, exits with 130; the continued run has the result of an unbroken one", async () => {
    const flags = [...RUNS.reflow, ...CONSTANT_RATE];
    const run = temporaryFolder();
    const { child, ended, logged } = startProcess(run, [...flags, "--steps=100000", "--log_freq=1", "--num_workers=1"]);
    await logged("step:2 ");
    child.kill("SIGINT");
    const { code, err } = await ended;
    expect(code).toBe(130);
    const [, step] = /interrupted after step (\d+)\. Continue with --resume=true --output_dir=/.exec(err) ?? [];
    const { step: saved } = JSON.parse(
      readFileSync(join(lastCheckpoint(run), "training_state/training_step.json"), "utf8"),
    );
    expect(saved).toBe(Number(step));
    expect(existsSync(join(run, ".lock"))).toBe(false);
    expect(await endOf(run)).toMatchObject({ event: "end", reason: "interrupted", step: saved });

    await trainIn(run, "--resume=true", `--steps=${saved + 2}`);
    const unbroken = await train(...flags, `--steps=${saved + 2}`);
    expect(resultOf(run).equals(resultOf(unbroken))).toBe(true);
    const { records } = await readRecords(join(run, "records.jsonl"));
    expect(records.filter(({ event }) => event === "run-start").map(({ step: first }) => first)).toEqual([0, saved]);
  });

  it("saves nothing with save_checkpoint=false, and says so", async () => {
    const run = temporaryFolder();
    const flags = [...RUNS.reflow, "--steps=100000", "--log_freq=1", "--save_checkpoint=false"];
    const { child, ended, logged } = startProcess(run, flags);
    await logged("step:1 ");
    child.kill("SIGTERM");
    const { code, err } = await ended;
    expect(code).toBe(130);
    expect(err).toContain("Nothing was saved, as save_checkpoint is false");
    expect(readdirSync(run)).toEqual(["records.jsonl"]);
  });
});

describe("two runs in one folder", () => {
  it("are not possible at the same time; a killed run's folder is taken over", async () => {
    const run = temporaryFolder();
    const flags = [...RUNS.reflow, "--save_freq=1", "--log_freq=1"];
    const { child, ended, logged } = startProcess(run, [...flags, "--steps=100000"]);
    await logged("Checkpoint policy after step 1");
    for (const more of [["--resume=true"], [...flags, "--steps=1", "--overwrite=true"]]) {
      const { code, err } = await tryTraining(run, ...more);
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(
          /^train: process \d+ is already training in .*\. Wait for it, or choose another --output_dir\. If that process is no training run, delete .*\/\.lock\n$/,
        ),
      ]);
      expect(err).toContain(`process ${child.pid} `);
    }
    child.kill("SIGKILL");
    await ended;
    expect(readFileSync(join(run, ".lock"), "utf8")).toBe(String(child.pid));
    await trainIn(run, ...flags, "--steps=1", "--overwrite=true");
    expect(existsSync(join(run, ".lock"))).toBe(false);
  });

  it("are not possible within one process either; a lock file of the same number or without one is stale", async () => {
    const path = temporaryFolder();
    const options = { resume: false, overwrite: false };
    const folder = await openRunFolder(path, options);
    await expect(openRunFolder(path, options)).rejects.toThrow(`process ${process.pid} is already training in ${path}`);
    folder.release();
    for (const owner of [String(process.pid), "", "2147483646"]) {
      writeFileSync(join(path, ".lock"), owner);
      (await openRunFolder(path, options)).release();
      expect(readdirSync(path)).toEqual([]);
    }
  });
});

const RECIPE = {
  width: 64,
  height: 48,
  cameras: { "observation.images.top": "video", "observation.images.wrist": "video" },
} as const;

/** A dataset with the policy's features, removed after the test. */
async function datasetWith(
  episodes: DatasetRecipe["episodes"],
  state: (frame: number) => number = (frame) => Math.sin(frame),
): Promise<string> {
  const feature = { dtype: "float32", shape: [3], value: (frame: number) => [state(frame), frame / 50, 0.5] };
  const dataset = await writeDataset({
    ...RECIPE,
    episodes,
    features: { "observation.state": feature, action: { ...feature, value: () => [0, 0, 0] } },
  });
  onTestFinished(() => dataset[Symbol.asyncDispose]());
  return dataset.root;
}

describe("a file of the dataset that is damaged", () => {
  it.each([
    ["data/chunk-000/file-003.parquet", "--num_workers=2"],
    ["videos/observation.images.wrist/chunk-000/file-003.mp4", "--num_workers=2"],
    ["videos/observation.images.wrist/chunk-000/file-003.mp4", "--num_workers=0"],
  ])("is named, %s, and ends the run with its checkpoints whole (%s)", async (file, workers) => {
    const root = await datasetWith([0, 1, 2, 3].map((i) => ({ length: 8, dataFile: i, videoFile: i })));
    const run = await train(...RUNS.reflow, `--dataset.root=${root}`, "--steps=1");
    const before = resultOf(run);
    truncateSync(join(root, file), 700);
    const flags = ["--resume=true", "--steps=100", "--save_freq=1000", workers];
    const { code, err } = await startProcess(run, [`--dataset.root=${root}`, ...flags]).ended;
    expect(code).toBe(1);
    const message = err.trimEnd().split("\n").at(-1);
    expect(message).toContain(join(root, file));
    expect(err).not.toMatch(/internal:|\n {4}at /);
    expect(resultOf(run).equals(before)).toBe(true);
    await expectLoadable(run);
    expect(await endOf(run)).toMatchObject({ event: "end", reason: "failed", message });
  });
});

describe("a loss that is no longer a number", () => {
  it.each(["reflow", "flow matching"] as const)(
    "ends the run with its last checkpoint as it was, in %s",
    async (kind) => {
      // Neither of the frames that the gate looks at.
      const root = await datasetWith([{ length: 40 }], (frame) => (frame % 7 === 3 ? Number.NaN : 0));
      const run = temporaryFolder();
      const stats = { mean: [0, 0, 0], std: [1, 1, 1] };
      writeFileSync(join(root, "meta/stats.json"), JSON.stringify({ "observation.state": stats, action: stats }));
      const { code, err } = await tryTraining(
        run,
        ...RUNS[kind],
        `--dataset.root=${root}`,
        "--steps=40",
        "--save_freq=1",
      );
      expect(code).toBe(1);
      const [, step] =
        /\ntrain: expected a finite loss at step (\d+), got loss NaN and gradient norm NaN\. The update was not made and earlier checkpoints are good\. Lower optimizer_lr, or look for extreme values in the dataset\n$/.exec(
          err,
        ) ?? [];
      const numGood = Number(step) - 1;
      expect(err).not.toMatch(/internal:|\n {4}at /);
      if (numGood > 0) await expectLoadable(run);
      const names = existsSync(join(run, "checkpoints")) ? readdirSync(join(run, "checkpoints")) : [];
      expect(names.filter((name) => name !== "last")).toHaveLength(numGood);
      expect(await endOf(run)).toMatchObject({ event: "end", reason: "failed", step: numGood });
    },
  );
});

describe("a full disk", () => {
  // A limit on the size of a file stands for it: writing stops in the middle, at the same place in the program.
  const LIMIT = "ulimit -f 1024;";

  it("while a checkpoint is written leaves the older one whole and nothing half-written", async () => {
    const run = await train(...RUNS.reflow, "--steps=1");
    const [before, files] = [resultOf(run), filesIn(run)];
    const { code, err } = await startProcess(run, ["--resume=true", "--steps=2"], LIMIT).ended;
    expect(code).toBe(1);
    expect(err.trimEnd().split("\n").at(-1)).toMatch(
      /^checkpoint .*checkpoints\/000002: cannot be written \(EFBIG: file too large, write\)\. Earlier checkpoints are untouched$/,
    );
    expect(resultOf(run).equals(before)).toBe(true);
    expect(filesIn(run)).toEqual(files);
    expect(readdirSync(join(run, "checkpoints")).sort()).toEqual(["000001", "last"]);
    await expectLoadable(run);
    await trainIn(run, "--resume=true", "--steps=2");
  });

  it("before the first step is reported by the gate, and leaves nothing", async () => {
    const run = temporaryFolder();
    const { code, err } = await startProcess(run, [...RUNS.reflow, "--steps=1"], LIMIT).ended;
    expect(code).toBe(1);
    expect(err.trimEnd().split("\n").at(-1)).toBe(
      `step-0 gate: the student cannot be saved and loaded again: EFBIG: file too large, write (in ${join(run, ".step-0-gate")})`,
    );
    expect(readdirSync(run)).toEqual([]);
  });

  it("is reported even if the failure itself can no longer be recorded", async () => {
    const run = await train(...RUNS.reflow, "--steps=1", "--log_freq=0");
    const records = join(run, "records.jsonl");
    const [start] = readFileSync(records, "utf8").split("\n") as [string];
    // Room for the start of the run, not for its end.
    const limit = Math.ceil((start.length + 120) / 1024);
    writeFileSync(records, "\n".repeat(1024 * limit - start.length - 120));
    const { code, err } = await startProcess(run, ["--resume=true", "--steps=2"], `ulimit -f ${limit};`).ended;
    expect(code).toBe(1);
    expect(err.trimEnd().split("\n").at(-1)).toMatch(/^checkpoint .*: cannot be written \(EFBIG/);
    expect((await readRecords(records)).records.map(({ event }) => event)).toEqual(["run-start"]);
  });
});

/** Pipelines that are stopped, killed or fail, at any moment: the same command ends with what an unbroken one gives. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, watch, writeFileSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readRecords } from "../../src/records/read-records.js";
import { RunRecorder } from "../../src/records/run-recorder.js";
import { jsonIn, pipeline, pipelineUntil, resultsOf, STAGES, settingsFile, tryPipeline } from "./pipeline-run.js";
import { temporaryFolder } from "./training-run.js";

const root = mkdtempSync(join(tmpdir(), "reflow-pipeline-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const unbroken = join(root, "unbroken");
const settings = (): string => `--config_path=${settingsFile(root)}`;
beforeAll(async () => {
  await pipeline(settings(), `--output_dir=${unbroken}`);
});

/** Runs the same command once more, to the end. @returns what it said */
async function expectSameEnd(folder: string): Promise<string> {
  const { err } = await pipeline(settings(), `--output_dir=${folder}`);
  const wanted = resultsOf(unbroken);
  expect(resultsOf(folder).map((bytes, i) => bytes.equals(wanted[i]!))).toEqual(wanted.map(() => true));
  const { rows, findings } = jsonIn(folder, "comparison.json");
  const { rows: wantedRows, findings: wantedFindings } = jsonIn(unbroken, "comparison.json");
  expect({ rows, findings }).toEqual({ rows: wantedRows, findings: wantedFindings });
  expect(readdirSync(folder).sort()).toEqual([...STAGES, "comparison.json", "pipeline.json"]);
  return err;
}

describe("a pipeline that is killed ends as an unbroken one", () => {
  it.each([
    ["before its first step", "step-0 gate: saving", [1]],
    ["after a checkpoint of its first stage", "Checkpoint policy after step 1", [1, 2]],
    ["after the last checkpoint of a stage", "Checkpoint policy after step 3", [1, 2]],
    ["between two stages", "stage 2 of 3: straight", [1, 2]],
    ["before the first step of a later stage", "Start training: reflow", [1, 2]],
    ["in its last stage", "Start training: distillation", [1, 2, 3]],
  ])("%s", async (_, text, begun) => {
    const folder = join(temporaryFolder(), "out");
    const { code } = await pipelineUntil(text, "SIGKILL", [settings(), `--output_dir=${folder}`]);
    expect(code).toBe(null);
    expect(existsSync(join(folder, "comparison.json"))).toBe(false);
    const last = readdirSync(folder)
      .filter((name) => /^\d/.test(name))
      .at(-1);
    expect(begun.map((n) => STAGES[n - 1])).toContain(last);
    await expectSameEnd(folder);
  });

  it("while it writes a checkpoint", async () => {
    const folder = join(temporaryFolder(), "out");
    const checkpoints = join(folder, STAGES[0], "checkpoints");
    const flags = ["dist/cli/main.js", "pipeline", settings(), `--output_dir=${folder}`];
    const child = spawn(process.execPath, flags, { env: { ...process.env, OMP_NUM_THREADS: "1" } });
    onTestFinished(() => void child.kill("SIGKILL"));
    setPriority(child.pid!, 19);
    const killWhileWriting = (): void => {
      if (readdirSync(checkpoints).some((name) => /^\.\d+\..*\.tmp$/.test(name))) child.kill("SIGKILL");
    };
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (!text.includes("Checkpoint policy after step 1")) return;
      const watcher = watch(checkpoints, killWhileWriting);
      onTestFinished(() => watcher.close());
      killWhileWriting();
    });
    const code = await new Promise<number | null>((done) => child.on("close", done));
    expect(code).toBe(null);
    expect(readdirSync(checkpoints).filter((name) => name.endsWith(".tmp"))).toHaveLength(1);
    await expectSameEnd(folder);
    expect(readdirSync(checkpoints).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it.each(["SIGKILL", "SIGINT"] as const)("while it compares, by %s", async (signal) => {
    const folder = join(temporaryFolder(), "out");
    const { code, out } = await pipelineUntil("comparing 3 policies", signal, [settings(), `--output_dir=${folder}`]);
    expect([code, out]).toEqual([null, ""]);
    const err = await expectSameEnd(folder);
    expect(err).not.toContain("Start training");
  });

  it("at its first checkpoint, before `last` points to it", async () => {
    const folder = join(temporaryFolder(), "out");
    const flags = [settings(), `--output_dir=${folder}`];
    await pipelineUntil("Checkpoint policy after step 1", "SIGKILL", flags);
    const checkpoints = join(folder, STAGES[0], "checkpoints");
    for (const name of readdirSync(checkpoints)) {
      if (name !== "000001") rmSync(join(checkpoints, name), { recursive: true });
    }
    expect(await expectSameEnd(folder)).toContain("continuing after step 1");
  });

  it("while it deletes stages that are to be done again", async () => {
    const folder = join(temporaryFolder(), "out");
    await pipeline(settings(), "--stages.fast.seed=3", `--output_dir=${folder}`);
    // Deleting begins with a new name, so this is what a kill leaves.
    rmSync(join(folder, STAGES[2], "records.jsonl"));
    renameSync(join(folder, STAGES[2]), join(folder, `.${STAGES[2]}.1-0.tmp`));
    await expectSameEnd(folder);
  });
});

describe("a pipeline whose stage has failed", () => {
  it("says which, and goes on when the cause is mended", async () => {
    const folder = join(temporaryFolder(), "out");
    const flags = [settings(), `--output_dir=${folder}`];
    await pipelineUntil("stage 1 of 3: flow", "SIGKILL", flags);
    writeFileSync(join(folder, STAGES[1]), "in the way");
    const { code, err } = await tryPipeline(...flags);
    expect(code).toBe(1);
    expect(err).toMatch(
      /ERROR .* pipeline: stage 2 of 3 \(straight\) failed\. Mend what the next line says; the same command goes on after the last checkpoint\ntrain: \S+02-straight cannot be made \(EEXIST/,
    );
    rmSync(join(folder, STAGES[1]));
    expect(await expectSameEnd(folder)).toContain("stage 1 of 3: flow is finished");
  });

  it("takes the stage up again after its last checkpoint", async () => {
    const folder = join(temporaryFolder(), "out");
    await pipeline(settings(), `--output_dir=${folder}`);
    using recorder = new RunRecorder(join(folder, STAGES[2]));
    recorder.record({ event: "end", step: 2, reason: "failed", message: "full disk" });
    const err = await expectSameEnd(folder);
    expect(err).toContain("stage 2 of 3: straight is finished");
    expect(err).toContain("continuing after step 2");
  });
});

describe("Ctrl-C", () => {
  it("saves, exits with 130 and says how to go on; the same command ends as an unbroken pipeline", async () => {
    const folder = join(temporaryFolder(), "out");
    const flags = [settings(), `--output_dir=${folder}`];
    const { code, err } = await pipelineUntil("Start training: reflow", "SIGINT", flags);
    expect(code).toBe(130);
    expect(err).toMatch(
      /WARNING .* pipeline: interrupted (in|before) stage [23] of 3 \((straight|fast)\)\. Run the same command again to go on\n$/,
    );
    expect(existsSync(join(folder, ".lock"))).toBe(false);
    const { records } = await readRecords(join(folder, STAGES[1], "records.jsonl"));
    expect(["interrupted", "completed"]).toContain((records.at(-1) as { reason?: string }).reason);
    await expectSameEnd(folder);
  });
});

describe("two pipelines in one folder", () => {
  it("are not possible at the same time; a killed one's folder is taken over", async () => {
    const folder = join(temporaryFolder(), "out");
    const flags = [settings(), `--output_dir=${folder}`];
    const long = [...flags, "--steps=100000", "--stages=[{name: flow, kind: flow_matching}]"];
    const child = spawn(process.execPath, ["dist/cli/main.js", "pipeline", ...long], {
      env: { ...process.env, OMP_NUM_THREADS: "1" },
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    await new Promise<void>((begun) => {
      child.stderr.setEncoding("utf8").on("data", (text: string) => text.includes("Start training") && begun());
    });
    const { code, err } = await tryPipeline(...flags);
    expect(code).toBe(1);
    expect(err).toBe(
      `pipeline: process ${child.pid} is already working in ${folder}. Wait for it, or choose another --output_dir. ` +
        `If that process is no pipeline, delete ${join(folder, ".lock")}\n`,
    );
    child.kill("SIGKILL");
    await new Promise((closed) => child.on("close", closed));
    expect(existsSync(join(folder, ".lock"))).toBe(true);
    rmSync(join(folder, STAGES[0]), { recursive: true });
    await expectSameEnd(folder);
  });
});

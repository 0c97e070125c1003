/** Pipelines from a base model to a one-step policy: what each stage is made of, and how the results are compared. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readProvenance } from "../../src/policy/provenance.js";
import { readRecords } from "../../src/records/read-records.js";
import { trainConfigFromJson } from "../../src/train/config-json.js";
import { splitEpisodes } from "../../src/train/held-out.js";
import {
  type Json,
  jsonIn,
  type Output,
  pipeline,
  resultsOf,
  SETTINGS,
  STAGES,
  settingsFile,
  tryPipeline,
} from "./pipeline-run.js";
import { BASE_VLM, filesIn, lastCheckpoint, resultOf, TEACHER, temporaryFolder, trainIn } from "./training-run.js";

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

interface Row {
  readonly name: string;
  readonly num_steps: number;
  readonly relative_error: number;
  readonly noise_explained: number;
  readonly spread_ratio: number;
}

const rowsOf = (folder: string): readonly Row[] => jsonIn(folder, "comparison.json").rows as readonly Row[];

async function finished(settings: Json = SETTINGS, ...flags: readonly string[]): Promise<{ folder: string } & Output> {
  const folder = join(temporaryFolder(), "out");
  const output = await pipeline(
    `--config_path=${settingsFile(temporaryFolder(), settings)}`,
    ...flags,
    `--output_dir=${folder}`,
  );
  return { folder, ...output };
}

describe("from a base model over a 1-RF and a 2-RF to a one-step policy", () => {
  let done: { folder: string } & Output;
  const root = mkdtempSync(join(tmpdir(), "reflow-pipeline-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const policyOf = (stage: string): string => join(lastCheckpoint(join(done.folder, stage)), "pretrained_model");
  beforeAll(async () => {
    const folder = join(root, "out");
    done = { folder, ...(await pipeline(`--config_path=${settingsFile(root)}`, `--output_dir=${folder}`)) };
  });

  it("every stage is a completed run with the right round, and statistics stay the same", async () => {
    const provenances = await Promise.all(STAGES.map((stage) => readProvenance(policyOf(stage))));
    expect(provenances.map((provenance) => [provenance!.k, provenance!.distilled ?? false, provenance!.step])).toEqual([
      [1, false, 3],
      [2, false, 3],
      [2, true, 2],
    ]);
    expect(new Set(provenances.map((provenance) => provenance!.statisticsSha256)).size).toBe(1);
    for (const stage of STAGES) {
      const { records } = await readRecords(join(done.folder, stage, "records.jsonl"));
      expect(records.at(-1)).toMatchObject({ event: "end", reason: "completed" });
    }
  });

  it("every teacher is the last checkpoint of the stage before", async () => {
    expect((await readProvenance(policyOf(STAGES[0])))!.teacher).toBeUndefined();
    for (const [i, stage] of STAGES.slice(1).entries()) {
      const before = join(done.folder, STAGES[i]!, "checkpoints", "000003", "pretrained_model");
      expect((await readProvenance(policyOf(stage)))!.teacher).toEqual({
        path: before,
        weightsSha256: sha256(join(before, "model.safetensors")),
        k: i + 1,
      });
    }
  });

  it("all stages leave the same episodes out, and are compared on those", () => {
    const { dataset, held_out: isHeldOut } = jsonIn(done.folder, "comparison.json");
    const { episodes } = dataset as { episodes: number[] };
    expect(isHeldOut).toBe(true);
    for (const stage of STAGES) {
      const saved = jsonIn(lastCheckpoint(join(done.folder, stage)), "training_state", "reflow_train_config.json");
      const all = Array.from({ length: 10 }, (_, i) => i);
      expect(splitEpisodes(all, trainConfigFromJson(saved)).heldOut).toEqual(episodes);
    }
  });

  it("every stage gives what `reflow train` gives with its settings, and draws other noises than the others", async () => {
    const { stages } = jsonIn(done.folder, "pipeline.json") as { stages: { folder: string; settings: Json }[] };
    expect(stages.map(({ settings }) => settings.seed)).toEqual([1000, 1001, 1002]);
    const last = stages[2]!;
    const run = temporaryFolder();
    await trainIn(run, `--config_path=${settingsFile(run, last.settings)}`);
    expect(resultOf(run).equals(resultOf(join(done.folder, last.folder)))).toBe(true);
  });

  it("the comparison has every policy at every number of steps, and the first flow as the truth", () => {
    const rows = rowsOf(done.folder);
    expect(rows.map(({ name, num_steps: numSteps }) => `${name} ${numSteps}`)).toEqual([
      ...["flow 1", "flow 2", "straight 1", "straight 2", "fast 1", "fast 2"],
    ]);
    expect(jsonIn(done.folder, "comparison.json")).toMatchObject({
      reference: "flow",
      policies: STAGES.map((stage, i) => ({
        stage,
        k: [1, 2, 2][i],
        distilled: i === 2,
        weights_sha256: sha256(join(policyOf(stage), "model.safetensors")),
      })),
    });
    expect(done.out).toContain(
      "Agreement with the converged solution of flow (4 Euler steps) on 2 observations of 1 held-out episode,",
    );
    expect(done.out).toMatch(/\n {4}1 {2}fast {6}2-RF, distilled {2}/);
  });

  it("the same command again trains nothing and measures nothing", async () => {
    const files = (): string[] =>
      filesIn(done.folder).map((file) => `${file} ${statSync(join(done.folder, file)).mtimeMs}`);
    const isOwn = (file: string): boolean => !file.startsWith("pipeline.json");
    const before = files().filter(isOwn);
    const { out, err } = await pipeline(
      `--config_path=${settingsFile(temporaryFolder())}`,
      `--output_dir=${done.folder}`,
    );
    expect(out).toBe(done.out);
    expect(
      err
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.replace(/^.*pipeline: /, "")),
    ).toEqual([
      "stage 1 of 3: flow is finished, in 01-flow",
      "stage 2 of 3: straight is finished, in 02-straight",
      "stage 3 of 3: fast is finished, in 03-fast",
    ]);
    expect(files().filter(isOwn)).toEqual(before);
  });

  it("another comparison is measured anew, and nothing trained", async () => {
    const flags = [`--config_path=${settingsFile(temporaryFolder())}`, `--output_dir=${done.folder}`];
    const { err } = await pipeline(...flags, "--compare.num_steps=[1,4]");
    expect(err).toContain("comparing 3 policies");
    expect(err).not.toContain("Start training");
    // At the reference's own number of steps the reference is perfect, and only there.
    const four = rowsOf(done.folder).filter(({ num_steps: numSteps }) => numSteps === 4);
    expect(four[0]).toEqual({ name: "flow", num_steps: 4, relative_error: 0, noise_explained: 1, spread_ratio: 1 });
    for (const row of four.slice(1)) expect(row.relative_error).toBeGreaterThan(0);
    await pipeline(...flags);
    expect(rowsOf(done.folder)).toHaveLength(6);
  });

  it("a damaged comparison is measured again", async () => {
    const path = join(done.folder, "comparison.json");
    const before = readFileSync(path, "utf8");
    writeFileSync(path, before.slice(0, 100));
    await pipeline(`--config_path=${settingsFile(temporaryFolder())}`, `--output_dir=${done.folder}`);
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  it("`reflow train` continues a stage; the pipeline then says what has changed, and does it again if told to", async () => {
    const flags = [`--config_path=${settingsFile(temporaryFolder())}`, `--output_dir=${done.folder}`];
    const before = resultsOf(done.folder);
    await trainIn(join(done.folder, STAGES[1]), "--resume=true", "--steps=4");
    const { code, err } = await tryPipeline(...flags);
    expect(code).toBe(1);
    expect(err).toContain(
      `pipeline: expected the stages that ${done.folder} holds, got others\n` +
        "  - straight (02-straight): steps: 4 before, 3 now\n" +
        "Restore the settings, choose another --output_dir, or pass --overwrite=true to delete the first of these",
    );
    const again = await pipeline(...flags, "--overwrite=true");
    expect(again.err).toContain("pipeline: deleting 02-straight, 03-fast, as overwrite is true");
    expect(again.err).toContain("flow is finished");
    expect(resultsOf(done.folder).map((bytes, i) => bytes.equals(before[i]!))).toEqual(before.map(() => true));
  });
});

describe("a pipeline that has changed", () => {
  it("keeps stages whose settings give the same, refuses others, and does those again with overwrite", async () => {
    const { folder } = await finished();
    const flags = [`--config_path=${settingsFile(temporaryFolder())}`, `--output_dir=${folder}`];
    const [flow, , straight] = resultsOf(folder);
    const free = ["--log_freq=7", "--save_freq=5", "--num_workers=1", "--held_out.num_noises=3"];
    expect((await pipeline(...flags, ...free)).err).not.toContain("Start training");

    const changed = [...flags, "--stages.straight.reflow.teacher_solver=heun", "--stages.3.name=quick"];
    const { code, err } = await tryPipeline(...changed);
    expect(code).toBe(1);
    expect(err).toContain('  - straight (02-straight): reflow.teacher_solver: "euler" before, "heun" now\n');
    expect(err).toContain("  - 03-fast is no stage of this pipeline\n");

    await pipeline(...changed, "--overwrite=true");
    expect(readdirSync(folder).filter((name) => /^\d/.test(name))).toEqual(["01-flow", "02-straight", "03-quick"]);
    const weights = (stage: string): Buffer =>
      readFileSync(join(lastCheckpoint(join(folder, stage)), "pretrained_model/model.safetensors"));
    expect(weights("01-flow").equals(flow!)).toBe(true);
    expect(weights("02-straight").equals(straight!)).toBe(false);
  });

  it("refuses a stage that was made after another policy than now lies before it", async () => {
    const { folder } = await finished();
    const other = await finished(SETTINGS, "--seed=5");
    const flags = [`--config_path=${settingsFile(temporaryFolder())}`, `--output_dir=${folder}`];
    const weights = join("01-flow", "checkpoints", "000003", "pretrained_model", "model.safetensors");
    writeFileSync(join(folder, weights), readFileSync(join(other.folder, weights)));
    const { code, err } = await tryPipeline(...flags);
    expect(code).toBe(1);
    expect(err).toMatch(
      /pipeline: expected stage straight \(02-straight\) to be made after the policy in \S+\/01-flow\/checkpoints\/000003\/pretrained_model, got one made after another policy\. Pass --overwrite=true to delete it and all stages after it and do them again\n$/,
    );
    expect((await pipeline(...flags, "--overwrite=true")).err).toContain("deleting 02-straight, 03-fast");
  });
});

describe("from a teacher", () => {
  const { stages: _, policy: __, ...common } = SETTINGS;
  const settings = {
    ...common,
    policy: { device: "cpu", teacher_model_path: TEACHER, optimizer_lr: 1e-3, reflow_num_inference_steps: 2 },
    steps: 1,
  };

  it("rounds and distill stand for stages, and the teacher is compared as it is", async () => {
    const { folder, out } = await finished({
      ...settings,
      rounds: 2,
      distill: true,
      stages: { distill: { steps: 2 } },
    });
    expect(readdirSync(folder).filter((name) => /^\d/.test(name))).toEqual([
      "01-reflow-1",
      "02-reflow-2",
      "03-distill",
    ]);
    const last = await readProvenance(join(folder, "03-distill/checkpoints/000002/pretrained_model"));
    expect([last!.k, last!.distilled]).toEqual([3, true]);
    const names = rowsOf(folder).map(({ name }) => name);
    expect([...new Set(names)]).toEqual(["teacher", "reflow-1", "reflow-2", "distill"]);
    expect(out).toContain("Agreement with the converged solution of teacher (4 Euler steps)");
  });

  it("that was straightened itself, the 1-RF is asked for as the baseline, and is the truth then", async () => {
    const first = await finished({ ...settings, rounds: 1 });
    const teacher = join(first.folder, "01-reflow/checkpoints/000001/pretrained_model");
    const policy = { ...settings.policy, teacher_model_path: teacher };
    const second = await finished({ ...settings, policy, rounds: 1 });
    expect(second.err).toContain(
      "the teacher is a 2-RF, itself straightened after another policy: give the 1-RF as compare.baseline",
    );
    const flags = [`--config_path=${settingsFile(temporaryFolder(), { ...settings, policy, rounds: 1 })}`];
    const { err, out } = await pipeline(...flags, `--compare.baseline=${TEACHER}`, `--output_dir=${second.folder}`);
    expect(err).not.toMatch(/is a 2-RF|Start training/);
    expect(out).toContain("Agreement with the converged solution of baseline");
    expect([...new Set(rowsOf(second.folder).map(({ name }) => name))]).toEqual(["baseline", "teacher", "reflow"]);
  });
});

describe("the pipeline in examples", () => {
  it("is valid, but for the folders that do not exist", async () => {
    const out = join(temporaryFolder(), "out");
    const { code, err } = await tryPipeline(
      ...["--config_path=examples/pipeline.yaml", `--output_dir=${out}`, `--policy.vlm_model_name=${BASE_VLM}`],
      ...["--dataset.root=/nowhere", "--policy.device=cpu"],
    );
    expect(code).toBe(1);
    expect(err).toContain("pipeline: stage 1 of 3: flow (flow_matching), 30000 steps");
    expect(err).toContain("/nowhere");
    expect(existsSync(join(out, "pipeline.json"))).toBe(true);
  });
});

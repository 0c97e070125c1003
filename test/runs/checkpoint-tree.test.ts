import { createHash } from "node:crypto";
import { cpSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { readRecords } from "../../src/records/read-records.js";
import { checkpointName } from "../../src/train/checkpoint.js";
import { DATASET, filesIn, RUNS, TEACHER, train, trainIn, tryTraining } from "./training-run.js";

const POLICY_FILES = [
  "config.json",
  "model.safetensors",
  "policy_postprocessor.json",
  "policy_postprocessor_step_0_unnormalizer_processor.safetensors",
  "policy_preprocessor.json",
  "policy_preprocessor_step_5_normalizer_processor.safetensors",
  "reflow.json",
  "train_config.json",
];
const STATE_FILES = [
  "optimizer_param_groups.json",
  "optimizer_state.safetensors",
  "reflow_health.json",
  "reflow_train_config.json",
  "rng_state.safetensors",
  "scheduler_state.json",
  "training_step.json",
];

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));
const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("a run's folder", () => {
  it("is LeRobot's tree, with our own files beside LeRobot's, and nothing else", async () => {
    const run = await train(...RUNS.reflow, "--steps=5", "--save_freq=2");
    const checkpoint = [
      ...POLICY_FILES.map((file) => `pretrained_model/${file}`),
      ...STATE_FILES.map((file) => `training_state/${file}`),
    ];
    const steps = ["000002", "000004", "000005"];
    expect(filesIn(run)).toEqual(
      [...steps.flatMap((step) => checkpoint.map((file) => `checkpoints/${step}/${file}`)), "records.jsonl"].sort(),
    );
    expect(readdirSync(join(run, "checkpoints")).sort()).toEqual([...steps, "last"]);
    expect(lstatSync(join(run, "checkpoints/last")).isSymbolicLink()).toBe(true);
    expect(readlinkSync(join(run, "checkpoints/last"))).toBe("000005");
    for (const step of steps) {
      expect(json(run, "checkpoints", step, "training_state/training_step.json")).toEqual({ step: Number(step) });
      expect(json(run, "checkpoints", step, "pretrained_model/reflow.json").step).toBe(Number(step));
    }
  });

  it("names checkpoints with as many digits as the last step has, six at least", () => {
    expect([checkpointName(100, 20_000), checkpointName(100, 12_345_678)]).toEqual(["000100", "00000100"]);
  });

  it("records its start, its metrics, its checkpoints and its end", async () => {
    const run = await train(...RUNS.reflow, "--steps=2", "--log_freq=1");
    const { records, droppedLines } = await readRecords(join(run, "records.jsonl"));
    expect(droppedLines).toEqual([]);
    expect(records.map(({ event, step }) => `${event} ${step}`)).toEqual([
      "run-start 0",
      "step 1",
      "step 2",
      "checkpoint 2",
      "end 2",
    ]);
    expect(records[0]).toMatchObject({ config: { seed: 1000, optimizer: { lr: 1e-3 }, steps: 2 } });
    expect(records.at(-1)).toMatchObject({ reason: "completed" });
  });

  it("has no checkpoints with save_checkpoint=false", async () => {
    const run = await train(...RUNS.reflow, "--steps=2", "--save_checkpoint=false");
    expect(readdirSync(run)).toEqual(["records.jsonl"]);
  });

  it("is replaced with --overwrite, and refused without", async () => {
    const run = await train(...RUNS.reflow, "--steps=3");
    const refused = await tryTraining(run, ...RUNS.reflow, "--steps=1");
    expect([refused.code, refused.err]).toEqual([
      1,
      `train: ${run} already holds a run. Pass --resume=true to continue it, --overwrite=true to start again in its place, or another --output_dir\n`,
    ]);
    await trainIn(run, ...RUNS.reflow, "--steps=1", "--overwrite=true");
    expect(readdirSync(join(run, "checkpoints")).sort()).toEqual(["000001", "last"]);
    const { records } = await readRecords(join(run, "records.jsonl"), { keepSuperseded: true });
    expect(records.filter(({ event }) => event === "run-start")).toHaveLength(1);
  });

  it("keeps the old run if the one that was to replace it cannot start", async () => {
    const run = await train(...RUNS.reflow, "--steps=1");
    const before = filesIn(run);
    const { code } = await tryTraining(run, ...RUNS.reflow, "--overwrite=true", "--policy.teacher_model_path=/nowhere");
    expect([code, filesIn(run)]).toEqual([1, before]);
    const inside = join(run, "checkpoints/last/pretrained_model");
    const own = await tryTraining(run, ...RUNS["flow matching"], "--overwrite=true", `--policy.path=${inside}`);
    expect(own.err).toBe(
      `training config at policy.path: expected a folder outside output_dir, which overwrite=true replaces, got "${inside}"\n`,
    );
    expect(filesIn(run)).toEqual(before);
  });
});

describe("the policy in a checkpoint", () => {
  it("has its teacher's processors, byte for byte, and its config.json with the settings of the run", async () => {
    const run = await train(...RUNS.reflow, "--steps=1");
    const policy = join(run, "checkpoints/last/pretrained_model");
    for (const name of POLICY_FILES.filter((file) => file.startsWith("policy_"))) {
      expect(readFileSync(join(policy, name)).equals(readFileSync(join(TEACHER, name))), name).toBe(true);
    }
    expect(json(policy, "config.json")).toEqual({
      ...json(TEACHER, "config.json"),
      optimizer_lr: 1e-3,
      scheduler_warmup_steps: 0,
    });
  });

  it("has its teacher's config.json, byte for byte, if the run changes none of its settings", async () => {
    const run = await train(
      "--policy.use_reflow=true",
      `--policy.teacher_model_path=${TEACHER}`,
      "--policy.device=cpu",
      "--batch_size=2",
      "--num_workers=0",
      "--steps=1",
    );
    const config = (folder: string): string => readFileSync(join(folder, "config.json"), "utf8");
    expect(config(join(run, "checkpoints/last/pretrained_model"))).toBe(config(TEACHER));
  });

  it("says in reflow.json which rectified flow it is, whose student, with which statistics and conventions", async () => {
    const run = await train(...RUNS.reflow, "--steps=1", "--reflow.padded_dims=zero");
    const policy = join(run, "checkpoints/last/pretrained_model");
    expect(json(policy, "reflow.json")).toEqual({
      format: 1,
      k: 2,
      objective: "reflow",
      step: 1,
      conventions: {
        time: "1 is noise, 0 is actions",
        velocity: "noise - actions",
        noise: "standard normal in all padded action dimensions",
      },
      teacher: { path: TEACHER, weightsSha256: sha256(join(TEACHER, "model.safetensors")) },
      pairs: {
        solver: "euler",
        grid: "uniform",
        numSteps: 2,
        paddedDims: "zero",
        source: "fresh",
        noisesPerObservation: 1,
      },
      studentInit: "teacher",
      time: { law: "u_shaped", steepness: 4, mean: 0, std: 1, alpha: 4, atoms: [1], shareAtAtoms: 0.25 },
      loss: { distance: "l2", adaptivePower: 1, adaptiveC: 0.001, executedWeight: 1, smoothness: 0 },
      statisticsSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      resourceFolders: [join(TEACHER, "..")],
    });

    const again = await train(...RUNS.reflow, `--policy.teacher_model_path=${run}`, "--steps=1");
    const third = json(again, "checkpoints/last/pretrained_model/reflow.json");
    expect(third).toMatchObject({
      k: 3,
      teacher: { k: 2, path: policy, weightsSha256: sha256(join(policy, "model.safetensors")) },
      statisticsSha256: json(policy, "reflow.json").statisticsSha256,
    });
  });

  it("is the first rectified flow after flow matching", async () => {
    const run = await train(...RUNS["flow matching"], "--steps=1");
    const provenance = json(run, "checkpoints/last/pretrained_model/reflow.json");
    expect(provenance).toMatchObject({ k: 1, objective: "flow_matching" });
    expect(provenance).not.toHaveProperty("teacher");
  });

  it("loads from anywhere, since it remembers where its teacher's base model lay", async () => {
    const run = await train(...RUNS.reflow, "--steps=1");
    const policy = await SmolVLAPolicy.load(join(run, "checkpoints/last/pretrained_model"));
    expect(policy.config.vlmModelName).toBe("base-vlm");
    policy.dispose();
  });
});

describe("a checkpoint that is written again", () => {
  it("replaces the older one of its step, and clears away what a killed process left", async () => {
    const run = await train(...RUNS.reflow, "--steps=2", "--save_freq=1");
    cpSync(join(run, "checkpoints/000001"), join(run, "checkpoints/.000002.123-abcd.tmp"), { recursive: true });
    const before = readFileSync(join(run, "checkpoints/000002/pretrained_model/model.safetensors"));
    rmSync(join(run, "checkpoints/000002/training_state/training_step.json"));
    const first = join(run, "checkpoints/000001/pretrained_model/train_config.json");
    await trainIn(run, "--resume=true", `--config_path=${first}`, `--dataset.root=${DATASET}`);
    expect(readdirSync(join(run, "checkpoints")).sort()).toEqual(["000001", "000002", "last"]);
    expect(readFileSync(join(run, "checkpoints/000002/pretrained_model/model.safetensors")).equals(before)).toBe(true);
    expect(json(run, "checkpoints/000002/training_state/training_step.json")).toEqual({ step: 2 });
  });
});

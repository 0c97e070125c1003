/** Settings that a run takes from its round. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointOf, recordsOf } from "./run-results.js";
import { RUNS, TEACHER, teacherWith, temporaryFolder, trainIn, tryTraining } from "./training-run.js";

/** What all of these runs say themselves. */
const GIVEN = ["--policy.device=cpu", "--batch_size=2", "--num_workers=0", "--eval_freq=0", "--steps=1"];
const SMALL = "batch_size=2 (preset 32)";

const reflowOf = (teacher: string): string[] => [
  ...GIVEN,
  "--policy.use_reflow=true",
  `--policy.teacher_model_path=${teacher}`,
  "--policy.reflow_num_inference_steps=1",
];

/** A teacher that says which round it is of. */
const teacherOfRound = (k: number): string =>
  teacherWith((copy) => {
    const provenance = {
      format: 1,
      k,
      objective: k === 1 ? "flow_matching" : "reflow",
      step: 1,
      conventions: { time: "", velocity: "", noise: "" },
      statisticsSha256: "",
      resourceFolders: [],
    };
    writeFileSync(join(copy, "reflow.json"), JSON.stringify(provenance));
  });

const presetLine = (log: string): string => /preset for .*/.exec(log)?.[0] ?? "none";

const savedSettings = (run: string) =>
  JSON.parse(readFileSync(join(checkpointOf(run), "training_state/reflow_train_config.json"), "utf8"));

describe("the preset", () => {
  it.each([
    [1, 5e-5, "0.00005"],
    [2, 2.5e-5, "0.000025"],
    [3, 1e-5, "0.00001"],
    [7, 1e-5, "0.00001"],
  ])("of a teacher with k = %i has a rate of %d, is told, and saved with the run", async (k, lr, shown) => {
    const run = temporaryFolder();
    const log = await trainIn(run, ...reflowOf(teacherOfRound(k)));
    expect(presetLine(log)).toBe(
      `preset for a teacher with k = ${k}: optimizer_lr=${shown}, scheduler_warmup_steps=500, optimizer_grad_clip_norm=10, ` +
        `batch_size=32, steps=15000. Overridden: ${SMALL}, steps=1 (preset 15000)`,
    );
    const settings = {
      optimizer: { lr, grad_clip_norm: 10, weight_decay: 1e-10, betas: [0.9, 0.95], eps: 1e-8 },
      scheduler: { peak_lr: lr, num_warmup_steps: 500, num_decay_steps: 1, decay_lr: 2.5e-6 },
    };
    expect(savedSettings(run)).toMatchObject(settings);
    expect((await recordsOf(run, "run-start"))[0]!.config).toMatchObject(settings);
  });

  it("of a teacher that says nothing about itself is that of k = 1", async () => {
    expect(presetLine(await trainIn(temporaryFolder(), ...reflowOf(TEACHER)))).toContain(
      "a teacher with k = 1: optimizer_lr=0.00005,",
    );
  });

  it("of a first flow is the policy's own", async () => {
    const run = temporaryFolder();
    expect(presetLine(await trainIn(run, ...GIVEN, `--policy.path=${TEACHER}`))).toBe(
      "preset for a first flow (k = 0): optimizer_lr=0.0001, scheduler_warmup_steps=1000, optimizer_grad_clip_norm=10, " +
        `batch_size=32, steps=30000. Overridden: ${SMALL}, steps=1 (preset 30000)`,
    );
    expect(savedSettings(run)).toMatchObject({
      optimizer: { lr: 1e-4 },
      scheduler: { num_warmup_steps: 1000, num_decay_steps: 30_000 },
    });
  });

  it("names what the run's settings replace, and they are what is trained with", async () => {
    const run = temporaryFolder();
    const log = await trainIn(
      run,
      ...reflowOf(TEACHER),
      "--policy.optimizer_lr=3e-4",
      "--policy.scheduler_warmup_steps=7",
      "--policy.optimizer_grad_clip_norm=1",
      "--policy.scheduler_decay_steps=90",
      "--policy.optimizer_betas=[0.8,0.9]",
    );
    expect(presetLine(log)).toMatch(
      /Overridden: optimizer_lr=0\.0003 \(preset 0\.00005\), scheduler_warmup_steps=7 \(preset 500\), optimizer_grad_clip_norm=1 \(preset 10\), batch_size=2 /,
    );
    expect(savedSettings(run)).toMatchObject({
      optimizer: { lr: 3e-4, grad_clip_norm: 1, betas: [0.8, 0.9] },
      scheduler: { num_warmup_steps: 7, num_decay_steps: 90 },
    });
  });

  it("is neither told nor taken by a run with settings of its own, nor by one that continues", async () => {
    const run = temporaryFolder();
    const own = [
      "--use_policy_training_preset=false",
      "--optimizer.lr=1e-3",
      "--scheduler.num_warmup_steps=0",
      "--scheduler.num_decay_steps=5",
      "--scheduler.peak_lr=1e-3",
      "--scheduler.decay_lr=0",
    ];
    expect(presetLine(await trainIn(run, ...reflowOf(TEACHER), ...own))).toBe("none");
    expect(savedSettings(run)).toMatchObject({ optimizer: { lr: 1e-3 }, scheduler: { num_decay_steps: 5 } });
    const other = temporaryFolder();
    await trainIn(other, ...reflowOf(TEACHER));
    expect(presetLine(await trainIn(other, "--resume=true", "--steps=2"))).toBe("none");
    expect(savedSettings(other)).toMatchObject({ optimizer: { lr: 5e-5 }, scheduler: { num_decay_steps: 1 } });
  });

  it("of the teacher's own configuration has no influence on a reflow round", async () => {
    const teacher = teacherWith((copy) => {
      const path = join(copy, "config.json");
      const config = {
        ...JSON.parse(readFileSync(path, "utf8")),
        optimizer_lr: 0.5,
        scheduler_warmup_steps: 3,
        scheduler_decay_lr: 0.4,
      };
      writeFileSync(path, JSON.stringify(config));
    });
    const run = temporaryFolder();
    await trainIn(run, ...reflowOf(teacher));
    expect(savedSettings(run)).toMatchObject({
      optimizer: { lr: 5e-5 },
      scheduler: { num_warmup_steps: 500, decay_lr: 2.5e-6 },
    });
  });
});

describe("a final rate above the peak is refused with its reason", () => {
  const reason = (peak: string, decay: string): string =>
    `training config at policy.scheduler_decay_lr: expected at most policy.optimizer_lr (${peak}), got ${decay}. The cosine ` +
    `"decay" would raise the learning rate from ${peak} to ${decay} during the run (2.5e-6 is LeRobot's default for the final ` +
    `rate). Set --policy.scheduler_decay_lr to ${peak} or less\n`;

  it.each<[string, readonly string[], string]>([
    ["where the peak is the round's", ["--policy.scheduler_decay_lr=1e-3"], reason("0.00005", "0.001")],
    ["where the final rate is the round's", ["--policy.optimizer_lr=1e-7"], reason("1e-7", "0.0000025")],
    [
      "where both are given",
      ["--policy.optimizer_lr=1e-7", "--policy.scheduler_decay_lr=1e-6"],
      reason("1e-7", "0.000001"),
    ],
  ])("%s", async (_, flags, message) => {
    const folder = temporaryFolder();
    const { code, err } = await tryTraining(folder, ...reflowOf(TEACHER), ...flags);
    expect(err.replace(/^(INFO|WARNING) .*\n/gm, "")).toBe(message);
    expect(code).toBe(1);
  });

  it("in flow matching too, where the peak is the policy's", async () => {
    const { code, err } = await tryTraining(
      temporaryFolder(),
      ...GIVEN,
      `--policy.path=${TEACHER}`,
      "--policy.scheduler_decay_lr=1e-3",
    );
    expect(err.replace(/^(INFO|WARNING) .*\n/gm, "")).toBe(reason("0.0001", "0.001"));
    expect(code).toBe(1);
    expect(
      (await tryTraining(temporaryFolder(), ...RUNS["flow matching"], "--policy.scheduler_decay_lr=1e-3", "--steps=1"))
        .code,
    ).toBe(0);
  });
});

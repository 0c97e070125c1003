/** What a pipeline refuses before its first stage begins: the settings of all stages are checked, and named. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Json, SETTINGS, settingsFile, tryPipeline } from "./pipeline-run.js";
import { BASE_VLM, TEACHER, temporaryFolder } from "./training-run.js";

/** Runs a pipeline that must be refused. @returns what is said; nothing was made */
async function refused(settings: Json, ...flags: readonly string[]): Promise<string> {
  const out = join(temporaryFolder(), "out");
  const file = settingsFile(temporaryFolder(), settings);
  const { code, err } = await tryPipeline(`--config_path=${file}`, `--output_dir=${out}`, ...flags);
  expect(code).toBe(1);
  expect(existsSync(out)).toBe(false);
  expect(err).not.toContain("internal:");
  return err;
}

/** The settings with a stage's own ones changed, by its position. */
const withStage = (i: number, own: Json): Json => ({
  ...SETTINGS,
  stages: SETTINGS.stages.map((stage, k) => (k === i ? { ...stage, ...own } : stage)),
});

const withoutStages = (more: Json): Json => {
  const { stages: _, ...rest } = SETTINGS;
  return { ...rest, ...more };
};

describe("a pipeline refuses, before anything is trained,", () => {
  it.each<[what: string, settings: Json, message: string]>([
    ["an unknown setting", { ...SETTINGS, distil: true }, 'pipeline at distil: unknown key. Did you mean "distill"?'],
    [
      "an unknown setting of the last stage",
      withStage(2, { reflow: { padded_dim: "mask" } }),
      'pipeline at stages.fast.reflow.padded_dim: unknown key. Did you mean "padded_dims"?',
    ],
    [
      "a common setting that one kind of stage cannot have",
      { ...SETTINGS, reflow: { teacher_solver: "runge" } },
      'pipeline at reflow.teacher_solver: expected one of "euler", "midpoint", "heun", "rk4", got "runge" (in stages straight, fast)',
    ],
    [
      "a field of the policy that only the trained teacher could refuse",
      withStage(1, { policy: { chunk_size: 8 } }),
      "pipeline at stages.straight.policy.chunk_size: expected the teacher's 6, got 8",
    ],
    [
      "a value of the policy's configuration",
      withStage(2, { policy: { num_steps: "many" } }),
      'pipeline at stages.fast.policy.num_steps: expected a number, got "many"',
    ],
    [
      "a schedule that would rise",
      withStage(2, { policy: { optimizer_lr: 1e-9 } }),
      "pipeline at stages.fast.policy.scheduler_decay_lr: expected at most policy.optimizer_lr (1e-9), got 0.0000025",
    ],
    [
      "a student on its teacher's model that would train it",
      withStage(1, { policy: { train_expert_only: false } }),
      "pipeline at stages.straight.policy.train_expert_only: expected true for this student, got false",
    ],
    [
      "a teacher for a stage that has one",
      withStage(1, { policy: { teacher_model_path: TEACHER } }),
      "pipeline at stages.straight.policy.teacher_model_path: expected nothing, got",
    ],
    [
      "another dataset in one stage",
      withStage(1, { dataset: { repo_id: "a/b" } }),
      "All stages learn from the same dataset and leave out the same episodes",
    ],
    [
      "other held-out episodes in one stage",
      withStage(1, { held_out: { share: 0.5 } }),
      "pipeline at stages.straight.held_out.share: expected nothing, got 0.5. All stages leave out the same episodes",
    ],
    [
      "pairs that belong to another teacher",
      { ...SETTINGS, reflow: { pairs: "pairs" } },
      'pipeline at reflow.pairs: expected nothing, got "pairs". Stored pairs belong to a teacher that exists, and this ' +
        "stage's is yet to be trained (in stages straight, fast)",
    ],
    [
      "a stage that trains an adapter",
      withStage(2, { peft: { r: 4 } }),
      "pipeline at stages.fast.peft: expected nothing, got settings of an adapter. A stage's result is a whole policy",
    ],
    ["no measuring", { ...SETTINGS, eval_freq: 0 }, "pipeline at eval_freq: expected at least 1, got 0"],
    [
      "a stage without checkpoints",
      withStage(0, { save_checkpoint: false }),
      "pipeline at stages.flow.save_checkpoint: expected true, got false",
    ],
    [
      "a kind there is not",
      withStage(1, { kind: "straighten" }),
      'pipeline at stages.2.kind: expected one of "flow_matching", "reflow", "distill"',
    ],
    [
      "a stage without a name",
      withStage(1, { name: undefined }),
      "pipeline at stages.2.name: expected a text, got nothing",
    ],
    [
      "a name that is no folder's",
      withStage(1, { name: "../x" }),
      'pipeline at stages.2.name: expected a name of letters, digits, "_" and "-"',
    ],
    [
      "two stages of one name",
      withStage(1, { name: "flow" }),
      'pipeline at stages.2.name: expected a name of its own, got "flow" again',
    ],
    [
      "a name of the comparison",
      withStage(1, { name: "teacher" }),
      'pipeline at stages.2.name: expected another name, got "teacher"',
    ],
    [
      "demonstrations after straightening",
      withStage(2, { kind: "flow_matching" }),
      "pipeline at stages.fast.kind: expected reflow or distill after straight (reflow), got flow_matching",
    ],
    [
      "no stages",
      withoutStages({}),
      "pipeline at stages: expected a list of stages, or rounds and distill, got neither",
    ],
    [
      "stages twice",
      { ...SETTINGS, rounds: 1 },
      "pipeline at stages: expected either a list of stages or rounds and distill, got both",
    ],
    [
      "settings of a stage that there is not",
      withoutStages({ rounds: 1, stages: { refow: { steps: 1 } } }),
      'pipeline at stages.refow: expected one of flow, reflow, or a position from 1, got "refow". Did you mean "reflow"?',
    ],
    [
      "a first stage without a start",
      { ...SETTINGS, policy: { device: "cpu" } },
      "pipeline at policy: expected policy.path (train a policy further) or policy.type=smolvla (a new one), got neither (in stage flow)",
    ],
    [
      "a reflow stage at the beginning without a teacher",
      withStage(0, { kind: "reflow" }),
      "pipeline at policy.teacher_model_path: expected the teacher's folder or Hub id, got nothing. Reflow needs a teacher (in stage flow)",
    ],
    [
      "a kind given in two ways",
      withStage(1, { policy: { use_reflow: true } }),
      "pipeline at stages.straight.policy.use_reflow: expected nothing, got true. The stage's kind decides",
    ],
    [
      "a comparison at no steps",
      { ...SETTINGS, compare: { num_steps: [0] } },
      "pipeline at compare.num_steps.0: expected a number of at least 1, got 0",
    ],
    [
      "a baseline with other chunks",
      { ...SETTINGS, compare: { baseline: TEACHER } },
      "pipeline at compare.baseline: expected a policy with the chunks of stage flow, 6 actions of 8 padded dimensions, got 10 actions",
    ],
    [
      "a teacher that is no policy",
      withoutStages({ rounds: 1, policy: { teacher_model_path: BASE_VLM } }),
      "pipeline at stages.reflow: ",
    ],
    [
      "uploads over each other",
      { ...SETTINGS, policy: { ...SETTINGS.policy, push_to_hub: true, repo_id: "a/b" } },
      "pipeline at stages.straight.policy.repo_id: expected a repository of its own, got that of flow (a/b)",
    ],
  ])("%s", async (_, settings, message) => {
    const err = await refused(settings);
    // Several problems are listed one per line, without the word between.
    expect(
      err.replace(/^pipeline: \d+ problems\n {2}- /, "pipeline at ").replaceAll("\n  - ", "\npipeline at "),
    ).toContain(message);
  });

  it("all problems of all stages at once", async () => {
    const [first, second, third] = SETTINGS.stages;
    const stages = [
      { ...first, steps: 0 },
      { ...second, reflow: { real: { share: 2 } } },
      { ...third, nope: 1 },
    ];
    const err = await refused({ ...SETTINGS, stages, batch_size: -1 });
    expect(err).toMatch(/^pipeline: 4 problems\n/);
    for (const path of ["stages.flow.steps", "stages.straight.reflow.real.share", "stages.fast.nope", "batch_size"]) {
      expect(err).toContain(`  - ${path}: `);
    }
  });
});

describe("a pipeline's folder", () => {
  it("is no training run's", async () => {
    const run = temporaryFolder();
    mkdirSync(join(run, "checkpoints"));
    const { code, err } = await tryPipeline(`--config_path=${settingsFile(temporaryFolder())}`, `--output_dir=${run}`);
    expect(code).toBe(1);
    expect(err).toBe(
      `pipeline: expected a pipeline's folder, got a training run in ${run}. Choose another --output_dir\n`,
    );
  });

  it("is a folder, and must be given", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    const config = `--config_path=${settingsFile(temporaryFolder())}`;
    expect((await tryPipeline(config, `--output_dir=${file}`)).err).toMatch(
      /^pipeline: \S+\/file cannot be made \(EEXIST/,
    );
    expect((await tryPipeline(config)).err).toBe("pipeline at output_dir: expected a text, got nothing\n");
  });
});

import { isDeepStrictEqual } from "node:util";
import { isPresetField, SMOLVLA_FIELD_NAMES } from "./config-policy-fields.js";
import { SETTING_NAMES, TRAIN_SCHEMA, type TrainJson } from "./config-schema.js";

/** Which settings of a training run have no effect in the chosen mode. */

type Fields = Readonly<Record<string, unknown>>;

const valueAt = (json: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((value, name) => (value as Fields | null | undefined)?.[name], json);

const DEFAULTS = TRAIN_SCHEMA.parse({});

/** Whether a setting differs from its default; giving the default itself changes nothing, so it is not reported. */
const isGiven = (json: TrainJson, path: string): boolean =>
  !isDeepStrictEqual(valueAt(json, path) ?? null, valueAt(DEFAULTS, path) ?? null);

interface EffectRule {
  /** settings, or sections with all their settings */
  readonly settings: readonly string[];
  readonly hasNoEffect: (json: TrainJson) => boolean;
  readonly because: string;
}

const presetFields = SMOLVLA_FIELD_NAMES.filter(isPresetField).map((name) => `policy.${name}`);

const EFFECT_RULES: readonly EffectRule[] = [
  {
    settings: ["policy.teacher_model_path", "policy.reflow_num_inference_steps", "policy.student_init", "reflow"],
    hasNoEffect: ({ policy }) => !policy.use_reflow,
    because: "policy.use_reflow is false",
  },
  {
    settings: ["flow_matching"],
    hasNoEffect: ({ policy }) => policy.use_reflow,
    because: "policy.use_reflow is true, so reflow.time decides",
  },
  {
    settings: ["policy.reflow_num_inference_steps", "reflow.teacher_solver", "reflow.teacher_grid"],
    hasNoEffect: ({ reflow }) => reflow.pairs !== null,
    because: "reflow.pairs is given, whose pairs were made before",
  },
  {
    settings: ["reflow.buffer_batches"],
    hasNoEffect: ({ reflow }) => reflow.pair_uses === 1,
    because: "reflow.pair_uses is 1",
  },
  {
    settings: ["reflow.truncate_share"],
    hasNoEffect: ({ reflow, batch_size: batchSize }) =>
      reflow.pairs === null && Math.floor(reflow.truncate_share * batchSize * reflow.noises_per_observation) === 0,
    because:
      "a batch has too few pairs (batch_size * reflow.noises_per_observation) to leave out that share of them. Take more, or " +
      "stored pairs (reflow.pairs), among which it is looked for in the whole set",
  },
  {
    settings: ["reflow.real"],
    hasNoEffect: ({ reflow }) => reflow.real.share === 0,
    because: "reflow.real.share is 0",
  },
  {
    settings: ["held_out"],
    hasNoEffect: (json) => json.eval_freq === 0,
    because: "eval_freq is 0",
  },
  {
    settings: ["optimizer", "scheduler"],
    hasNoEffect: (json) => json.use_policy_training_preset && !json.resume,
    because: "use_policy_training_preset is true, so policy.optimizer_* and policy.scheduler_* decide",
  },
  {
    settings: presetFields,
    hasNoEffect: (json) => !json.use_policy_training_preset,
    because: "use_policy_training_preset is false, so optimizer and scheduler decide",
  },
  {
    settings: ["policy.repo_id"],
    hasNoEffect: ({ policy }) => !policy.push_to_hub,
    because: "policy.push_to_hub is false (the default here, unlike in LeRobot)",
  },
  {
    settings: ["save_freq"],
    hasNoEffect: (json) => !json.save_checkpoint,
    because: "save_checkpoint is false",
  },
  {
    settings: ["eval"],
    hasNoEffect: () => true,
    because: "there is no simulation during training; evaluate the saved checkpoints instead",
  },
  {
    settings: ["dataset.video_backend"],
    hasNoEffect: () => true,
    because: "frames are always decoded by this program's own decoder",
  },
  {
    settings: ["dataset.image_transforms.max_num_transforms", "dataset.image_transforms.random_order"],
    hasNoEffect: () => true,
    because: "dataset.image_transforms.enable is false",
  },
  {
    settings: ["wandb.disable_artifact"],
    hasNoEffect: ({ wandb }) => wandb.enable,
    because: "checkpoints are never uploaded as artifacts",
  },
  {
    settings: ["wandb"],
    hasNoEffect: ({ wandb }) => !wandb.enable,
    because: "wandb.enable is false",
  },
  {
    settings: ["rabc_progress_path", "rabc_kappa", "rabc_epsilon", "rabc_head_mode"],
    hasNoEffect: () => true,
    because: "use_rabc is false",
  },
  {
    settings: ["checkpoint_path"],
    hasNoEffect: (json) => !json.resume,
    because: "resume is false",
  },
];

const SECTIONS = new Set(SETTING_NAMES.map((name) => name.slice(0, Math.max(0, name.lastIndexOf(".")))));

/** The single settings of a section; a section that is absent by default counts as one setting. */
const settingsIn = (path: string): readonly string[] =>
  valueAt(DEFAULTS, path) === null
    ? [path]
    : SETTING_NAMES.filter((name) => `${name}.`.startsWith(`${path}.`) && !SECTIONS.has(name));

/** Settings that differ from their default and have no effect in the chosen mode, each as a sentence with the reason. */
export function findWarnings(json: TrainJson): readonly string[] {
  const warnings = EFFECT_RULES.filter((rule) => rule.hasNoEffect(json)).flatMap((rule) =>
    rule.settings
      .flatMap(settingsIn)
      .filter((path) => isGiven(json, path))
      .map((path) => `${path} has no effect: ${rule.because}`),
  );
  const { optimizer, scheduler, resume, use_policy_training_preset: usesPreset } = json;
  const { optimizer_lr: presetLr } = json.policy as Fields;
  if (resume && usesPreset && optimizer && presetLr !== undefined && presetLr !== optimizer.lr) {
    warnings.push(
      `policy.optimizer_lr has no effect: a run that continues keeps the learning rate it had (${optimizer.lr})`,
    );
  }
  if ((resume || !usesPreset) && optimizer && scheduler && optimizer.lr !== scheduler.peak_lr) {
    const lastLr = Number(((optimizer.lr * scheduler.decay_lr) / scheduler.peak_lr).toPrecision(6));
    warnings.push(
      `scheduler.peak_lr (${scheduler.peak_lr}) differs from optimizer.lr (${optimizer.lr}): as in LeRobot the rate ` +
        `runs from optimizer.lr to optimizer.lr * decay_lr / peak_lr = ${lastLr}`,
    );
  }
  return warnings;
}

import { z } from "zod";
import { SMOLVLA_FIELD_NAMES } from "./config-policy-fields.js";

/**
 * The settings of a training run with LeRobot 0.4.4's names, order and defaults, and ours after them. Only single values
 * are checked here; `config-rules` knows what must fit together.
 *
 * Reference: `TrainPipelineConfig` in `configs/train.py`, `DatasetConfig`, `EvalConfig` and `WandBConfig` in
 * `configs/default.py`, `AdamWConfig` in `optim/optimizers.py`, `CosineDecayWithWarmupSchedulerConfig` in
 * `optim/schedulers.py`, `ImageTransformsConfig` in `datasets/transforms.py`.
 */

const count = z.int().min(1);
const countOrZero = z.int().min(0);
const positive = z.number().gt(0);
const text = z.string().min(1);
const textOrNull = text.nullable().default(null);
const isOff = z.boolean().default(false);
const isOn = z.boolean().default(true);
const decayRate = z.number().min(0).lt(1);
const anything = z.record(z.string(), z.unknown());

const IMAGE_TRANSFORMS = z.strictObject({
  enable: isOff,
  max_num_transforms: count.default(3),
  random_order: isOff,
  tfs: anything.optional(),
});

const DATASET = z.strictObject({
  repo_id: textOrNull,
  root: textOrNull,
  episodes: z.array(countOrZero).min(1).nullable().default(null),
  image_transforms: IMAGE_TRANSFORMS.prefault({}),
  revision: textOrNull,
  use_imagenet_stats: isOn,
  video_backend: text.default("torchcodec"),
  streaming: isOff,
});

const policyFields: Readonly<Record<never, z.ZodType>> = Object.fromEntries(
  SMOLVLA_FIELD_NAMES.map((name) => [name, z.unknown().optional()]),
);

const POLICY = z.strictObject({
  type: textOrNull,
  path: textOrNull,
  pretrained_path: textOrNull,
  device: textOrNull,
  push_to_hub: isOff,
  repo_id: textOrNull,
  use_reflow: isOff,
  teacher_model_path: textOrNull,
  reflow_num_inference_steps: count.default(10),
  ...policyFields,
});

export const OPTIMIZER = z.strictObject({
  type: z.literal("adamw").default("adamw"),
  lr: positive.default(1e-3),
  weight_decay: z.number().min(0).default(1e-2),
  grad_clip_norm: z.number().min(0).default(10),
  betas: z.tuple([decayRate, decayRate]).default([0.9, 0.999]),
  eps: positive.default(1e-8),
});

export const SCHEDULER = z.strictObject({
  type: z.literal("cosine_decay_with_warmup").default("cosine_decay_with_warmup"),
  num_warmup_steps: countOrZero,
  num_decay_steps: count,
  peak_lr: positive,
  decay_lr: z.number().min(0),
});

const EVAL = z.strictObject({
  n_episodes: count.default(50),
  batch_size: count.default(50),
  use_async_envs: isOff,
});

const WANDB = z.strictObject({
  enable: isOff,
  disable_artifact: isOff,
  project: text.default("lerobot"),
  entity: textOrNull,
  notes: textOrNull,
  run_id: textOrNull,
  mode: z.enum(["online", "offline", "disabled"]).nullable().default(null),
});

const REFLOW = z.strictObject({
  padded_dims: z.enum(["teacher", "zero", "mask"]).default("teacher"),
  time: z
    .strictObject({
      law: z.enum(["beta", "uniform", "u_shaped"]).default("beta"),
      share_at_noise: z.number().min(0).max(1).default(0),
    })
    .prefault({}),
  teacher_solver: z.enum(["euler", "midpoint", "heun", "rk4"]).default("euler"),
});

export const TRAIN_SCHEMA = z.strictObject({
  dataset: DATASET.prefault({}),
  env: z.unknown().optional(),
  policy: POLICY.prefault({}),
  output_dir: textOrNull,
  job_name: textOrNull,
  resume: isOff,
  seed: countOrZero.nullable().default(1000),
  num_workers: countOrZero.default(4),
  batch_size: count.default(8),
  steps: count.default(100_000),
  eval_freq: countOrZero.default(20_000),
  log_freq: countOrZero.default(200),
  tolerance_s: positive.default(1e-4),
  save_checkpoint: isOn,
  save_freq: count.default(20_000),
  use_policy_training_preset: isOn,
  optimizer: OPTIMIZER.nullable().default(null),
  scheduler: SCHEDULER.nullable().default(null),
  eval: EVAL.prefault({}),
  wandb: WANDB.prefault({}),
  peft: z.unknown().optional(),
  use_rabc: isOff,
  rabc_progress_path: textOrNull,
  rabc_kappa: z.number().default(0.01),
  rabc_epsilon: z.number().default(1e-6),
  rabc_head_mode: z.enum(["sparse", "dense"]).nullable().default("sparse"),
  rename_map: z.record(z.string(), text).default({}),
  checkpoint_path: textOrNull,
  overwrite: isOff,
  precision: z.enum(["fp32", "bf16"]).default("fp32"),
  reflow: REFLOW.prefault({}),
});

/** Settings as files and command lines spell them, with defaults filled in. */
export type TrainJson = z.infer<typeof TRAIN_SCHEMA>;

/** The keys of one level, looking through defaults and options. */
function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  const node = schema as { shape?: Readonly<Record<string, unknown>>; def?: { innerType?: unknown } };
  return node.shape ?? (node.def?.innerType === undefined ? undefined : shapeOf(node.def.innerType));
}

const namesIn = (schema: unknown, prefix: string): string[] =>
  Object.entries(shapeOf(schema) ?? {}).flatMap(([name, inner]) => [
    prefix + name,
    ...namesIn(inner, `${prefix}${name}.`),
  ]);

/** All settings by their dotted paths, sections included. */
export const SETTING_NAMES: readonly string[] = namesIn(TRAIN_SCHEMA, "");

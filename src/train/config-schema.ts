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
  reflow_num_inference_steps: count.default(10).describe("solver steps of the teacher when it makes pairs"),
  student_init: z
    .enum(["teacher", "vlm", "random"])
    .default("teacher")
    .describe("what a student starts as: a copy of its teacher, a fresh expert, or fresh weights throughout"),
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

const share = z.number().min(0).max(1);

export const TIME_LAW_NAMES = ["beta", "uniform", "u_shaped", "logit_normal", "shift"] as const;
type TimeLawName = (typeof TIME_LAW_NAMES)[number];

/** Share of a reflow run's samples at single times. */
export const REFLOW_SHARE_AT_ATOMS = 0.25;

/** How training times are drawn, see `flow/time-laws`. */
const timeSettings = (law: TimeLawName) =>
  z.strictObject({
    law: z.enum(TIME_LAW_NAMES).default(law).describe("law of training times; 1 is noise and 0 is actions"),
    steepness: positive.default(4).describe("of the u_shaped law: how much of its mass lies at both ends"),
    mean: z.number().default(0).describe("of the logit_normal law; above 0 favours noise"),
    std: positive.default(1).describe("of the logit_normal law"),
    alpha: positive.default(4).describe("of the shift law; above 1 favours noise"),
    atoms: z
      .array(z.number().gt(0).max(1))
      .min(1)
      .default([1])
      .describe("single times that get mass of their own; a one-step policy is asked at time 1 alone"),
    share_at_atoms: share
      .nullable()
      .default(null)
      .describe(
        `share of samples at those times; null for 1 in distillation, ${REFLOW_SHARE_AT_ATOMS} in reflow, 0 in flow matching`,
      ),
  });

export const TIME = timeSettings("beta");

const FLOW_MATCHING = z.strictObject({
  time: TIME.prefault({}),
});

const LOSS = z.strictObject({
  distance: z
    .enum(["l2", "pseudo_huber", "adaptive"])
    .default("l2")
    .describe("distance of predicted and target velocity; demonstrations always use l2"),
  huber_c: positive.nullable().default(null).describe("constant of pseudo_huber; null for 0.00054 times the entries"),
  adaptive_power: share.default(1).describe("power of the adaptive distance"),
  adaptive_c: positive.default(1e-3).describe("constant of the adaptive distance"),
  executed_weight: positive.default(1).describe("weight of the steps that are executed (n_action_steps), others 1"),
  smoothness: z.number().min(0).default(0).describe("weight of the residual's differences along the chunk"),
  padded_share: z
    .number()
    .min(0)
    .lt(1)
    .nullable()
    .default(null)
    .describe("share of the loss in padded dimensions; null to weigh all dimensions alike, 0 to leave them out"),
});

const REAL = z.strictObject({
  share: share.default(0).describe("share of samples that involve demonstrated actions"),
  kind: z
    .enum(["demonstrations", "snap", "inverted"])
    .default("demonstrations")
    .describe(
      "demonstrations: ordinary flow matching beside the pairs; snap: a pair close to the demonstration takes its actions; " +
        "inverted: demonstrated actions with the noise that the teacher's flow carries them back to",
    ),
  snap_distance: positive.default(0.1).describe("largest root mean square distance of a snap, normalised units"),
  inversion_steps: count.default(25).describe("steps of Heun's method by which demonstrations are inverted"),
  inversion_error: positive.default(0.05).describe("largest root mean square error after an inversion and back"),
  time_law: z.enum(TIME_LAW_NAMES).default("beta").describe("time law of demonstrations"),
});

export const REFLOW = z.strictObject({
  stage: z
    .enum(["reflow", "distill"])
    .default("reflow")
    .describe("reflow makes a (k+1)-RF of a k-RF; distill teaches it to act in one step (all samples at time 1)"),
  teacher_solver: z.enum(["euler", "midpoint", "heun", "rk4"]).default("euler").describe("how the teacher is solved"),
  teacher_grid: z
    .enum(["uniform", "data_dense"])
    .default("uniform")
    .describe("times of the teacher's steps; data_dense has more of them near the actions"),
  padded_dims: z
    .enum(["teacher", "zero", "mask"])
    .default("teacher")
    .describe("targets beyond the robot's dimensions: the teacher's own, zero, or none"),
  noises_per_observation: count.default(1).describe("pairs per observation of a batch, on one encoding of it"),
  pair_uses: count.default(1).describe("times that each pair is used"),
  buffer_batches: count.default(64).describe("batches whose pairs are kept for their next use"),
  pairs: textOrNull.describe("folder of stored pairs made by `reflow pairs`; null to make pairs while training"),
  truncate_share: share.default(0).describe("share of pairs that is left out, by largest distance, in each task"),
  anneal_steps: countOrZero
    .default(0)
    .describe(
      "steps over which a pair's noise goes from an independent one to its own; for students that are no copies",
    ),
  state_noise: z
    .number()
    .min(0)
    .default(0)
    .describe("standard deviation of noise added to the normalised state that teacher and student both see"),
  time: timeSettings("u_shaped").prefault({}),
  loss: LOSS.prefault({}),
  real: REAL.prefault({}),
});

export const HELD_OUT = z.strictObject({
  share: share
    .nullable()
    .default(null)
    .describe("share of episodes kept for measuring, at least one; null for 0.05 in reflow and 0 in flow matching"),
  num_observations: count.default(8).describe("observations on which agreement is measured"),
  num_noises: z.int().min(2).default(8).describe("noises for each of them"),
  reference_steps: count
    .default(50)
    .describe("steps of Heun's method for the solution that agreement is measured against"),
});

export const EMA = z.strictObject({
  decay: z
    .number()
    .min(0)
    .lt(1)
    .nullable()
    .default(null)
    .describe("decay of the weights' moving average, such as 0.999; saved as the policy; null for none"),
});

const HEALTH = z.enum(["off", "warn", "stop", "backoff"]).default("warn");

export const TRAIN_SCHEMA = z.strictObject({
  dataset: DATASET.prefault({}),
  env: z.unknown().optional(),
  policy: POLICY.prefault({}),
  output_dir: textOrNull,
  job_name: textOrNull,
  resume: isOff,
  seed: countOrZero.nullable().default(1000),
  num_workers: countOrZero.default(4),
  batch_size: count.default(32),
  steps: count.nullable().default(null),
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
  gradient_accumulation: count.default(1).describe("batches whose gradients are added up for one optimizer step"),
  gradient_checkpointing: isOff.describe("recompute the expert's layers in the backward pass: less memory, more time"),
  freeze_pattern: z
    .enum(["0.4", "0.6"])
    .default("0.4")
    .describe("which of LeRobot's versions decides what stays frozen when the vision-language model is trained"),
  tensorboard: isOff.describe("write TensorBoard files to the run's folder"),
  health: HEALTH.describe("what to do when training looks unhealthy"),
  ema: EMA.prefault({}),
  held_out: HELD_OUT.prefault({}),
  flow_matching: FLOW_MATCHING.prefault({}),
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

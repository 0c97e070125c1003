import { z } from "zod";
import { SMOLVLA_FIELD_NAMES } from "./config-policy-fields.js";
import { DEFAULT_BATCH_SIZE, defaultSteps } from "./round-preset.js";

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
  enable: isOff.describe("not available: random changes of the images"),
  max_num_transforms: count.default(3).describe("kept for LeRobot"),
  random_order: isOff.describe("kept for LeRobot"),
  tfs: anything.optional().describe("kept for LeRobot"),
});

const DATASET = z.strictObject({
  repo_id: textOrNull.describe("Hub id of a LeRobot dataset; beside root only a name"),
  root: textOrNull.describe("local folder of the dataset"),
  episodes: z
    .array(countOrZero)
    .min(1)
    .nullable()
    .default(null)
    .describe("use only these, such as [0,1,2]; null for all"),
  image_transforms: IMAGE_TRANSFORMS.prefault({}),
  revision: textOrNull.describe("branch, tag or commit on the Hub"),
  use_imagenet_stats: isOn.describe("put ImageNet's statistics of colours in place of the dataset's own"),
  video_backend: text.default("torchcodec").describe("kept for LeRobot; frames are decoded by this program"),
  streaming: isOff.describe("not available; datasets are downloaded first"),
});

const policyFields: Readonly<Record<never, z.ZodType>> = Object.fromEntries(
  SMOLVLA_FIELD_NAMES.map((name) => [name, z.unknown().optional()]),
);

const POLICY = z.strictObject({
  type: textOrNull.describe("smolvla, for a new policy with default settings"),
  path: textOrNull.describe(
    "trained policy to start from, folder or Hub id; in reflow a student of its own, of any size",
  ),
  pretrained_path: textOrNull.describe("weights for a policy that type describes"),
  device: textOrNull.describe("cpu, cuda, cuda:1, mps; null for the best there is"),
  push_to_hub: isOff.describe(
    "upload the trained policy to repo_id at the end; unlike in LeRobot, off unless asked for",
  ),
  repo_id: textOrNull.describe("Hub id to upload to"),
  use_reflow: isOff.describe("straighten a teacher's flow instead of learning demonstrations"),
  teacher_model_path: textOrNull.describe("the teacher, folder or Hub id"),
  reflow_num_inference_steps: count.default(10).describe("solver steps of the teacher when it makes pairs"),
  student_init: z
    .enum(["teacher", "vlm", "random"])
    .default("teacher")
    .describe("what a student starts as: a copy of its teacher, a fresh expert, or fresh weights throughout"),
  ...policyFields,
});

export const OPTIMIZER = z.strictObject({
  type: z.literal("adamw").default("adamw").describe("the only optimizer there is"),
  lr: positive.default(1e-3).describe("peak learning rate"),
  weight_decay: z.number().min(0).default(1e-2).describe("decoupled weight decay"),
  grad_clip_norm: z.number().min(0).default(10).describe("largest joint norm of the gradients; 0 for no limit"),
  betas: z.tuple([decayRate, decayRate]).default([0.9, 0.999]).describe("decay of the moments"),
  eps: positive.default(1e-8).describe("added to the root of the second moment"),
});

export const SCHEDULER = z.strictObject({
  type: z
    .literal("cosine_decay_with_warmup")
    .default("cosine_decay_with_warmup")
    .describe("the only schedule there is"),
  num_warmup_steps: countOrZero.describe("steps of rising learning rate"),
  num_decay_steps: count.describe("steps until the final rate is reached"),
  peak_lr: positive.describe("rate after the warm-up; normally the optimizer's"),
  decay_lr: z.number().min(0).describe("final rate, not above the peak"),
});

const EVAL = z.strictObject({
  n_episodes: count.default(50).describe("kept for LeRobot: there is no simulation during training"),
  batch_size: count.default(50).describe("kept for LeRobot"),
  use_async_envs: isOff.describe("kept for LeRobot"),
});

const WANDB = z.strictObject({
  enable: isOff.describe("write the run for Weights & Biases"),
  disable_artifact: isOff.describe("kept for LeRobot: checkpoints are never uploaded as artifacts"),
  project: text.default("lerobot").describe("project of the run"),
  entity: textOrNull.describe("user or team of the run"),
  notes: textOrNull.describe("notes on the run"),
  run_id: textOrNull.describe("the run to continue; null for a new one"),
  mode: z
    .enum(["online", "offline", "disabled"])
    .nullable()
    .default(null)
    .describe("null for online if WANDB_API_KEY is set, offline if not"),
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
    steepness: positive.max(100).default(4).describe("of the u_shaped law: how much of its mass lies at both ends"),
    mean: z.number().default(0).describe("of the logit_normal law; above 0 favours noise"),
    std: positive.default(1).describe("of the logit_normal law"),
    alpha: positive.default(4).describe("of the shift law; above 1 favours noise"),
    atoms: z
      .array(z.number().gt(0).max(1))
      .min(1)
      .refine((atoms) => new Set(atoms).size === atoms.length, { error: "expected each time once" })
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

export const FLOW_MATCHING = z.strictObject({
  noises_per_observation: count
    .default(1)
    .describe(
      "noises, each at a time of its own, for each demonstrated chunk of a batch, on one encoding of what was seen",
    ),
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
  truncate_share: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe("share of pairs that is left out, by largest distance, in each task"),
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
    .default(20)
    .describe("steps of Heun's method for the solution that agreement is measured against"),
});

export const PEFT = z.strictObject({
  method_type: z.literal("LORA").default("LORA").describe("the only kind of adapter there is"),
  r: count.default(16).describe("rank of the corrections"),
  lora_alpha: positive.nullable().default(null).describe("corrections are scaled by lora_alpha / r; null for r"),
  use_rslora: isOff.describe("scale by lora_alpha / sqrt(r) instead"),
  target_modules: z
    .union([text, z.array(text).min(1)])
    .nullable()
    .default(null)
    .describe(
      "layers that are corrected: a regular expression or ends of names; null for the expert's attention and MLP",
    ),
  full_training_modules: z.array(text).nullable().default(null).describe("modules that are trained as a whole besides"),
  init_type: z.null().default(null).describe("not available: other initial values than PEFT's own"),
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

export const TRAIN_SCHEMA = z.strictObject({
  dataset: DATASET.prefault({}),
  env: z.unknown().optional().describe("not available: simulation during training"),
  policy: POLICY.prefault({}),
  output_dir: textOrNull.describe("the run's folder; null for outputs/train/<date>/<time>_<job>"),
  job_name: textOrNull.describe("the run's name; null for smolvla"),
  resume: isOff.describe("continue the run in output_dir, or the one config_path belongs to"),
  seed: countOrZero
    .nullable()
    .default(1000)
    .describe("for order, noise, times and initial weights; null for a different run each time"),
  num_workers: countOrZero
    .max(256)
    .default(4)
    .describe("threads that read and decode samples; 0 for none besides the main one"),
  batch_size: count.default(DEFAULT_BATCH_SIZE).describe("observations per batch"),
  steps: count
    .nullable()
    .default(null)
    .describe(`optimizer steps in total; null for ${defaultSteps(false)}, in reflow ${defaultSteps(true)}`),
  eval_freq: countOrZero
    .default(20_000)
    .describe("steps between measurements of agreement on held-out observations; 0 for none at all"),
  log_freq: countOrZero.default(200).describe("steps between log lines; 0 for none"),
  tolerance_s: positive.default(1e-4).describe("how far a video frame may be from the time asked for, in seconds"),
  save_checkpoint: isOn.describe("whether there are checkpoints"),
  save_freq: count.default(20_000).describe("steps between checkpoints; the last step is always saved"),
  use_policy_training_preset: isOn.describe(
    "take optimizer and schedule from policy.optimizer_* and policy.scheduler_* and the round's preset",
  ),
  optimizer: OPTIMIZER.nullable().default(null),
  scheduler: SCHEDULER.nullable().default(null),
  eval: EVAL.prefault({}),
  wandb: WANDB.prefault({}),
  peft: PEFT.nullable().default(null),
  use_rabc: isOff.describe("not available: weights by progress"),
  rabc_progress_path: textOrNull.describe("kept for LeRobot"),
  rabc_kappa: z.number().default(0.01).describe("kept for LeRobot"),
  rabc_epsilon: z.number().default(1e-6).describe("kept for LeRobot"),
  rabc_head_mode: z.enum(["sparse", "dense"]).nullable().default("sparse").describe("kept for LeRobot"),
  rename_map: z
    .record(z.string(), text)
    .default({})
    .describe('observation names in the dataset to the policy\'s, {"from":"to"}'),
  checkpoint_path: textOrNull.describe("written by a run that continues"),
  overwrite: isOff.describe("replace a run that output_dir already holds"),
  precision: z
    .enum(["fp32", "bf16"])
    .default("fp32")
    .describe("what the network computes in; trained weights and optimizer are float32 always"),
  gradient_accumulation: count.default(1).describe("batches whose mean gradient makes one optimizer step"),
  gradient_checkpointing: isOff.describe("recompute the expert's layers in the backward pass: less memory, more time"),
  freeze_pattern: z
    .union([z.string(), z.number()]) // YAML reads 0.4 as a number
    .transform(String)
    .pipe(z.enum(["0.4", "0.6"]))
    .default("0.4")
    .describe("which of LeRobot's versions decides what stays frozen when the vision-language model is trained"),
  tensorboard: isOff.describe("write TensorBoard files to the run's folder"),
  health: z
    .enum(["off", "warn", "stop", "backoff"])
    .default("warn")
    .describe("what to do when training looks unhealthy; backoff returns to a good checkpoint with half the rate"),
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

import { z } from "zod";
import { FEATURE_TYPES, NORMALIZATION_MODES } from "./config-features.js";

/**
 * The keys of a SmolVLA `config.json`, in the order in which LeRobot 0.4.4 writes them, with its defaults.
 * Reference: `configs/policies.py` and `policies/smolvla/configuration_smolvla.py`.
 */

const count = z.int().min(1);
/** Of things whose number decides how much memory or time a prediction takes, whatever the weights are. */
const upTo = (most: number) => count.max(most);
const countOrZero = z.int().min(0);
const positive = z.number().gt(0);
const text = z.string();

const features = z.record(text, z.strictObject({ type: z.enum(FEATURE_TYPES), shape: z.array(count) }));

const fields = {
  type: z.literal("smolvla"),
  n_obs_steps: count.default(1),
  input_features: features.nullable().default({}),
  output_features: features.nullable().default({}),
  device: text.nullable().default(null),
  use_amp: z.boolean().default(false),
  use_peft: z.boolean().default(false),
  push_to_hub: z.boolean().default(true),
  repo_id: text.nullable().default(null),
  private: z.boolean().nullable().default(null),
  tags: z.array(text).nullable().default(null),
  license: text.nullable().default(null),
  pretrained_path: text.nullable().default(null),
  chunk_size: upTo(4096).default(50),
  n_action_steps: upTo(4096).default(50),
  normalization_mapping: z
    .partialRecord(z.enum(FEATURE_TYPES), z.enum(NORMALIZATION_MODES))
    .default({ VISUAL: "IDENTITY", STATE: "MEAN_STD", ACTION: "MEAN_STD" }),
  max_state_dim: upTo(65_536).default(32),
  max_action_dim: upTo(65_536).default(32),
  resize_imgs_with_padding: z
    .tuple([upTo(4096), upTo(4096)])
    .nullable()
    .default([512, 512]),
  empty_cameras: countOrZero.max(64).default(0),
  adapt_to_pi_aloha: z.boolean().default(false),
  use_delta_joint_actions_aloha: z.boolean().default(false),
  tokenizer_max_length: upTo(8192).default(48),
  num_steps: upTo(10_000).default(10),
  use_cache: z.boolean().default(true),
  freeze_vision_encoder: z.boolean().default(true),
  train_expert_only: z.boolean().default(true),
  train_state_proj: z.boolean().default(true),
  optimizer_lr: z.number().default(1e-4),
  optimizer_betas: z.tuple([z.number(), z.number()]).default([0.9, 0.95]),
  optimizer_eps: z.number().default(1e-8),
  optimizer_weight_decay: z.number().default(1e-10),
  optimizer_grad_clip_norm: z.number().default(10),
  scheduler_warmup_steps: countOrZero.default(1000),
  scheduler_decay_steps: countOrZero.default(30_000),
  scheduler_decay_lr: z.number().default(2.5e-6),
  vlm_model_name: text.min(1).default("HuggingFaceTB/SmolVLM2-500M-Video-Instruct"),
  load_vlm_weights: z.boolean().default(false),
  add_image_special_tokens: z.boolean().default(false),
  attention_mode: text.default("cross_attn"),
  prefix_length: z.int().default(-1),
  pad_language_to: z.enum(["longest", "max_length"]).default("longest"),
  num_expert_layers: z.int().default(-1),
  num_vlm_layers: z.int().default(16),
  self_attn_every_n_layers: z.int().default(2),
  expert_width_multiplier: positive.default(0.75),
  min_period: positive.default(4e-3),
  max_period: positive.default(4.0),
  rtc_config: z.record(text, z.unknown()).nullable().default(null),
  compile_model: z.boolean().default(false),
  compile_mode: text.default("max-autotune"),
};

/** Keys that LeRobot versions after 0.4.4 write: understood, but not written, since 0.4.4 refuses them. */
const laterFields = { pretrained_revision: text.nullable().default(null) };

export const CONFIG_SCHEMA = z.strictObject({ ...fields, ...laterFields });
export type SmolVLAJson = z.infer<typeof CONFIG_SCHEMA>;

/** The keys of version 0.4.4 after `type`, in its order. */
export const WRITTEN_KEYS: readonly string[] = Object.keys(fields).filter((key) => key !== "type");

/**
 * Keys whose numbers Python prints as floats. `optimizer_grad_clip_norm` is declared as a float but has the whole number 10
 * as its default, and that is how published files spell it.
 */
export const FLOAT_KEYS: ReadonlySet<string> = new Set([
  "optimizer_lr",
  "optimizer_betas",
  "optimizer_eps",
  "optimizer_weight_decay",
  "scheduler_decay_lr",
  "expert_width_multiplier",
  "min_period",
  "max_period",
]);

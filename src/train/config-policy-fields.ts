import { isDeepStrictEqual } from "node:util";
import { WRITTEN_KEYS } from "../smolvla/config-schema.js";
import type { ConfigProblem } from "../support/errors.js";

/** Fields of a policy's `config.json` that are settings of a training run, with a meaning of their own there. */
const RUN_SETTINGS = ["device", "push_to_hub", "repo_id", "pretrained_path"];

/**
 * The fields of a SmolVLA `config.json` that a training run may override as `--policy.<field>`, in LeRobot's order. Their
 * values are checked when they have been merged into the policy's configuration.
 */
export const SMOLVLA_FIELD_NAMES: readonly string[] = WRITTEN_KEYS.filter((name) => !RUN_SETTINGS.includes(name));

/** Whether a field only holds presets for optimizer and schedule. */
export const isPresetField = (name: string): boolean => name.startsWith("optimizer_") || name.startsWith("scheduler_");

const FREE_FOR_STUDENTS: ReadonlySet<string> = new Set([
  ...RUN_SETTINGS,
  "n_action_steps",
  "num_steps",
  "freeze_vision_encoder",
  "train_expert_only",
  "train_state_proj",
  "vlm_model_name",
  "load_vlm_weights",
  "use_amp",
  "rtc_config",
  "compile_model",
  "compile_mode",
  "private",
  "tags",
  "license",
]);

/** Whether a student may differ in a field from its teacher: it changes neither the network nor what its numbers mean. */
export const mayDifferFromTeacher = (name: string): boolean => FREE_FOR_STUDENTS.has(name) || isPresetField(name);

const NETWORK_FIELDS: ReadonlySet<string> = new Set([
  "num_vlm_layers",
  "num_expert_layers",
  "expert_width_multiplier",
  "self_attn_every_n_layers",
  "attention_mode",
  "add_image_special_tokens",
  "prefix_length",
  "resize_imgs_with_padding",
]);

/** Whether a field sizes the network, in which a student that is no copy may differ from its teacher. */
export const isNetworkField = (name: string): boolean => NETWORK_FIELDS.has(name);

/**
 * Overrides that would give a student another network, other features or another normalisation than its teacher has. The
 * student begins as a copy of the teacher and learns from what the teacher gives, so these must agree.
 *
 * @param teacherFields the teacher's `config.json`
 * @param mayDiffer further fields in which this student may differ
 */
export function conflictsWithTeacher(
  overrides: Readonly<Record<string, unknown>>,
  teacherFields: Readonly<Record<string, unknown>>,
  mayDiffer: (name: string) => boolean = () => false,
): readonly ConfigProblem[] {
  return Object.entries(overrides)
    .filter(([name]) => !mayDifferFromTeacher(name) && !mayDiffer(name))
    .filter(([name, value]) => !isDeepStrictEqual(value, teacherFields[name]))
    .map(([name, value]) => ({
      path: `policy.${name}`,
      message:
        `expected the teacher's ${JSON.stringify(teacherFields[name]) ?? "absence of this field"}, got ` +
        `${JSON.stringify(value)}. ` +
        (isNetworkField(name)
          ? "This student is a copy of its teacher; give policy.student_init=vlm or policy.path for one of another size"
          : "A reflow student reads and acts as its teacher does; leave this setting out"),
    }));
}

/** What the fields of a policy's `config.json` mean, for the list of all settings. */
export const POLICY_FIELD_DESCRIPTIONS: Readonly<Record<string, string>> = {
  n_obs_steps: "observations that a policy sees; always 1",
  input_features: "cameras and state by name; taken from the dataset",
  output_features: "the action; taken from the dataset",
  use_amp: "kept for LeRobot; see precision",
  use_peft: "whether the policy folder is an adapter; written by a run with peft",
  private: "whether an upload is private",
  tags: "tags of an upload",
  license: "licence of an upload",
  chunk_size: "actions that are predicted at once",
  n_action_steps: "actions of a chunk that are carried out before the next is predicted",
  normalization_mapping: "how images, states and actions are normalised",
  max_state_dim: "width to which states are padded",
  max_action_dim: "width to which actions are padded",
  resize_imgs_with_padding: "[width, height] of the images that the network sees; null to leave them",
  empty_cameras: "absent cameras that the network sees as black",
  adapt_to_pi_aloha: "convert states and actions of Aloha robots to those of the pi policies",
  use_delta_joint_actions_aloha: "not available, as in LeRobot",
  tokenizer_max_length: "tokens of a task",
  num_steps: "Euler steps of the trained policy; left out, as many as its start or teacher has, in distillation 1",
  use_cache: "always true",
  freeze_vision_encoder: "leave the vision tower as it is when the vision-language model is trained",
  train_expert_only: "leave the vision-language model as it is",
  train_state_proj: "train the projection of the state",
  optimizer_lr: "peak learning rate; in reflow the round's preset",
  optimizer_betas: "decay of the moments",
  optimizer_eps: "added to the root of the second moment",
  optimizer_weight_decay: "decoupled weight decay",
  optimizer_grad_clip_norm: "largest joint norm of the gradients; 0 for no limit",
  scheduler_warmup_steps: "steps of rising learning rate; in reflow the round's preset",
  scheduler_decay_steps: "steps until the final rate is reached; in reflow all steps",
  scheduler_decay_lr: "final learning rate, not above the peak",
  vlm_model_name: "vision-language model, folder or Hub id",
  load_vlm_weights: "whether a new policy takes the vision-language model's trained weights",
  add_image_special_tokens: "put the tokenizer's image tokens around each image",
  attention_mode: "how the expert reads the vision-language model: cross_attn or self_attn",
  prefix_length: "shorter prefixes are padded to this; -1 for no padding",
  pad_language_to: "pad tasks to the longest of a batch, or to max_length",
  num_expert_layers: "layers of the expert; -1 for as many as the language model has",
  num_vlm_layers: "layers of the language model that are kept; -1 for all",
  self_attn_every_n_layers: "every how many layers the expert attends to itself; -1 for never",
  expert_width_multiplier: "width of the expert beside the language model's",
  min_period: "shortest period of the time embedding",
  max_period: "longest period of the time embedding",
  rtc_config: "kept for LeRobot: real-time chunking",
  compile_model: "kept for LeRobot",
  compile_mode: "kept for LeRobot",
};

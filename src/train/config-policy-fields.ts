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

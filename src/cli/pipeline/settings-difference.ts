import { isDeepStrictEqual } from "node:util";
import type { TrainConfig } from "../../train/config.js";
import { trainConfigToJson } from "../../train/config-json.js";
import { isMapping } from "../overrides.js";

/** Settings and sections that may change while a stage goes on, or after it: they do not change what it computes. */
const FREE = [
  "output_dir",
  "job_name",
  "resume",
  "overwrite",
  "checkpoint_path",
  "num_workers",
  "log_freq",
  "save_freq",
  "eval_freq",
  "eval",
  "wandb",
  "tensorboard",
  "health",
  "gradient_checkpointing",
  "dataset.video_backend",
  "policy.device",
  "policy.push_to_hub",
  "policy.repo_id",
  "held_out.num_observations",
  "held_out.num_noises",
  "held_out.reference_steps",
];

export interface DifferenceOptions {
  /** whether the start is another stage's result, which is told by its content and not by its path */
  readonly isChained: boolean;
}

/**
 * Settings in which two training runs differ so that their results would, as `path: value before, value now`.
 *
 * @param before settings with which a run was begun, with its optimizer and seed filled in
 * @param now settings as they are asked for
 */
export function settingsDifference(before: TrainConfig, now: TrainConfig, options: DifferenceOptions): string[] {
  const free = new Set(FREE);
  if (options.isChained) free.add(now.policy.useReflow ? "policy.teacher_model_path" : "policy.path");
  if (now.usePolicyTrainingPreset) for (const name of ["optimizer", "scheduler"]) free.add(name);
  if (now.seed === undefined) free.add("seed");
  const [old, wanted] = [flat(trainConfigToJson(before), free), flat(trainConfigToJson(now), free)];
  return [...new Set([...old.keys(), ...wanted.keys()])]
    .filter((name) => !isDeepStrictEqual(old.get(name) ?? null, wanted.get(name) ?? null))
    .map(
      (name) =>
        `${name}: ${JSON.stringify(old.get(name) ?? null)} before, ${JSON.stringify(wanted.get(name) ?? null)} now`,
    );
}

/** Values by dotted path, without what is left out. */
function flat(value: unknown, without: ReadonlySet<string>, path = ""): Map<string, unknown> {
  if (without.has(path)) return new Map();
  if (!isMapping(value)) return new Map([[path, value]]);
  return new Map(
    Object.entries(value).flatMap(([name, inner]) => [...flat(inner, without, path === "" ? name : `${path}.${name}`)]),
  );
}

import { basename } from "node:path";
import { FLOAT_KEYS, WRITTEN_KEYS } from "../smolvla/config-schema.js";
import { PythonFloat, stringifyAsPython } from "../support/python-json.js";
import type { TrainConfig } from "./config.js";
import { snakeKeys } from "./config-keys.js";

/**
 * A training configuration as LeRobot 0.4.4 writes it into `train_config.json`: its keys in its order and none besides,
 * since it refuses a file with a key that it does not know. Our own settings are stored elsewhere.
 */

const transform = (type: string, kwargs: Readonly<Record<string, readonly number[]>>) => ({ weight: 1, type, kwargs });

/** LeRobot's default image transforms, which are written out in full even when they are off, as they always are here. */
const IMAGE_TRANSFORMS = {
  enable: false,
  max_num_transforms: 3,
  random_order: false,
  tfs: {
    brightness: transform("ColorJitter", { brightness: [0.8, 1.2] }),
    contrast: transform("ColorJitter", { contrast: [0.8, 1.2] }),
    saturation: transform("ColorJitter", { saturation: [0.5, 1.5] }),
    hue: transform("ColorJitter", { hue: [-0.05, 0.05] }),
    sharpness: transform("SharpnessJitter", { sharpness: [0.5, 1.5] }),
    affine: transform("RandomAffine", { degrees: [-5, 5], translate: [0.05, 0.05] }),
  },
};

/** Keys of numbers that Python holds as floats. The clipping norm stays as it is: SmolVLA's default is a whole number. */
const FLOATS: ReadonlySet<string> = new Set([
  ...FLOAT_KEYS,
  ...["lr", "weight_decay", "betas", "eps", "peak_lr", "decay_lr", "tolerance_s", "rabc_kappa", "rabc_epsilon"],
  ...[
    "max_guidance_weight",
    "weight",
    "brightness",
    "contrast",
    "saturation",
    "hue",
    "sharpness",
    "degrees",
    "translate",
  ],
]);

type Json = Readonly<Record<string, unknown>>;

const pick = (source: Json, keys: readonly string[]): Json =>
  Object.fromEntries(keys.filter((key) => source[key] !== undefined).map((key) => [key, source[key]]));

/**
 * @param policyJson the policy's complete `config.json`; keys that LeRobot 0.4.4 does not know are left out
 * @returns plain JSON that LeRobot 0.4.4 decodes
 */
export function toLeRobotTrainConfig(config: TrainConfig, policyJson: Json): Json {
  const { dataset, optimizer, scheduler, policy } = config;
  return {
    dataset: {
      // LeRobot requires an id even for a local folder, where any name will do.
      repo_id: dataset.repoId ?? basename(dataset.root ?? ""),
      root: dataset.root ?? null,
      episodes: dataset.episodes ?? null,
      image_transforms: IMAGE_TRANSFORMS,
      revision: dataset.revision ?? null,
      use_imagenet_stats: dataset.useImagenetStats,
      video_backend: dataset.videoBackend,
      streaming: false,
    },
    env: null,
    policy: {
      type: "smolvla",
      ...pick({ ...policyJson, push_to_hub: policy.pushToHub, repo_id: policy.repoId ?? null }, WRITTEN_KEYS),
    },
    output_dir: config.outputDir,
    job_name: config.jobName,
    resume: config.resume,
    seed: config.seed ?? null,
    num_workers: config.numWorkers,
    batch_size: config.batchSize,
    steps: config.steps,
    eval_freq: config.evalFreq,
    log_freq: config.logFreq,
    tolerance_s: config.toleranceS,
    save_checkpoint: config.saveCheckpoint,
    save_freq: config.saveFreq,
    use_policy_training_preset: config.usePolicyTrainingPreset,
    optimizer: optimizer
      ? pick(snakeKeys(optimizer), ["type", "lr", "weight_decay", "grad_clip_norm", "betas", "eps"])
      : null,
    scheduler: scheduler
      ? pick(snakeKeys(scheduler), ["type", "num_warmup_steps", "num_decay_steps", "peak_lr", "decay_lr"])
      : null,
    eval: pick(snakeKeys(config.eval), ["n_episodes", "batch_size", "use_async_envs"]),
    wandb: pick(snakeKeys(config.wandb), [
      "enable",
      "disable_artifact",
      "project",
      "entity",
      "notes",
      "run_id",
      "mode",
    ]),
    peft: null,
    use_rabc: false,
    rabc_progress_path: null,
    rabc_kappa: 0.01,
    rabc_epsilon: 1e-6,
    rabc_head_mode: "sparse",
    rename_map: config.renameMap,
    checkpoint_path: config.checkpointPath ?? null,
  };
}

function markFloats(value: unknown, key = ""): unknown {
  if (typeof value === "number") return FLOATS.has(key) ? new PythonFloat(value) : value;
  if (Array.isArray(value)) return value.map((entry) => markFloats(entry, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, markFloats(entry, name)]));
}

/** The text of `train_config.json`, byte for byte as LeRobot 0.4.4 prints it: indent 4, numbers as Python spells them. */
export const formatLeRobotTrainConfig = (config: TrainConfig, policyJson: Json): string =>
  stringifyAsPython(markFloats(toLeRobotTrainConfig(config, policyJson)), 4);

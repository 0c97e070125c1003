import type { z } from "zod";
import { ConfigError, type ConfigProblem } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { type CamelSection, camelKeys, camelSection } from "./config-keys.js";
import { findProblems } from "./config-rules.js";
import {
  type EMA,
  type FLOW_MATCHING,
  type HELD_OUT,
  type PEFT,
  type REFLOW,
  REFLOW_SHARE_AT_ATOMS,
  SETTING_NAMES,
  type TIME,
  TRAIN_SCHEMA,
  type TrainJson,
} from "./config-schema.js";
import { findWarnings } from "./config-warnings.js";
import { mostStepsTrainedFor } from "./is-trained-for.js";
import { defaultSteps } from "./round-preset.js";

/**
 * The configuration of a training run, with LeRobot's names in camelCase. Settings that are left open are undefined.
 * LeRobot's settings that have only one possible value here (`env`, `peft`, `use_rabc`, `dataset.streaming`, image
 * transforms) are accepted with that value, refused with a reason otherwise, and left out.
 */
export interface TrainConfig {
  readonly dataset: DatasetSettings;
  readonly policy: PolicySettings;
  /** the run's folder */
  readonly outputDir: string;
  readonly jobName: string;
  readonly resume: boolean;
  /** whether an existing run in `outputDir` may be replaced */
  readonly overwrite: boolean;
  /** undefined for a different run each time */
  readonly seed: number | undefined;
  /** threads that read and decode samples; 0 for none besides the main one */
  readonly numWorkers: number;
  readonly batchSize: number;
  /** optimizer steps in total, those before a resume included */
  readonly steps: number;
  /** steps between measurements of agreement on held-out observations; 0 for none. There is no simulation during training */
  readonly evalFreq: number;
  /** steps between log lines; 0 for none */
  readonly logFreq: number;
  /** how far a video frame may be from the time that was asked for, in seconds */
  readonly toleranceS: number;
  readonly saveCheckpoint: boolean;
  /** steps between checkpoints; the last step is always saved */
  readonly saveFreq: number;
  /** whether `optimizer` and `scheduler` are the policy's own, see `withTrainingPreset` */
  readonly usePolicyTrainingPreset: boolean;
  readonly optimizer: OptimizerSettings | undefined;
  readonly scheduler: SchedulerSettings | undefined;
  /** for LeRobot only: of simulations during training */
  readonly eval: EvalSettings;
  readonly wandb: WandbSettings;
  /** names of observations in the dataset to names that the policy knows */
  readonly renameMap: Readonly<Record<string, string>>;
  /** the checkpoint that a run continues from */
  readonly checkpointPath: string | undefined;
  /** what the network computes in; weights and optimizer are fp32 always */
  readonly precision: "fp32" | "bf16";
  /** batches whose gradients are added up for one optimizer step */
  readonly gradientAccumulation: number;
  readonly gradientCheckpointing: boolean;
  /** which of LeRobot's versions decides what stays frozen when the vision-language model is trained */
  readonly freezePattern: "0.4" | "0.6";
  readonly tensorboard: boolean;
  /** what is done about an unhealthy run */
  readonly health: "off" | "warn" | "stop" | "backoff";
  /** an adapter to train instead of the weights themselves; undefined for none */
  readonly peft: PeftSettings | undefined;
  readonly ema: EmaSettings;
  readonly heldOut: HeldOutSettings;
  readonly flowMatching: FlowMatchingSettings;
  readonly reflow: ReflowSettings;
}

export interface DatasetSettings {
  /** Hub id; with `root`, only a name */
  readonly repoId: string | undefined;
  /** local folder */
  readonly root: string | undefined;
  /** undefined for all */
  readonly episodes: readonly number[] | undefined;
  readonly revision: string | undefined;
  /** whether image statistics are replaced by ImageNet's, as LeRobot does; SmolVLA does not normalise images */
  readonly useImagenetStats: boolean;
  /** for LeRobot only: frames are decoded by this program */
  readonly videoBackend: string;
}

export interface PolicySettings {
  /** "smolvla" for a new policy with default settings */
  readonly type: "smolvla" | undefined;
  /** a trained policy, folder or Hub id, whose settings and weights are the start */
  readonly path: string | undefined;
  /** weights for a policy that `type` describes */
  readonly pretrainedPath: string | undefined;
  /** undefined for the best there is */
  readonly device: string | undefined;
  /** whether the trained policy is uploaded to `repoId`; unlike in LeRobot, off unless asked for */
  readonly pushToHub: boolean;
  readonly repoId: string | undefined;
  /** whether the policy is straightened after a teacher (reflow) instead of trained on demonstrations */
  readonly useReflow: boolean;
  readonly teacherModelPath: string | undefined;
  /** solver steps of the teacher when it makes the targets */
  readonly reflowNumInferenceSteps: number;
  /** what a student starts as */
  readonly studentInit: "teacher" | "vlm" | "random";
  /** overrides of the policy's `config.json`, by its own names; their values are not checked yet */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** AdamW. */
export interface OptimizerSettings {
  readonly type: "adamw";
  readonly lr: number;
  readonly weightDecay: number;
  /** largest total L2 norm of the gradients; 0 for no limit */
  readonly gradClipNorm: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
}

/** Linear warm-up, then half a cosine from `peakLr` to `decayLr`. */
export interface SchedulerSettings {
  readonly type: "cosine_decay_with_warmup";
  readonly numWarmupSteps: number;
  readonly numDecaySteps: number;
  readonly peakLr: number;
  readonly decayLr: number;
}

export interface EvalSettings {
  readonly nEpisodes: number;
  readonly batchSize: number;
  readonly useAsyncEnvs: boolean;
}

export interface WandbSettings {
  readonly enable: boolean;
  readonly disableArtifact: boolean;
  readonly project: string;
  readonly entity: string | undefined;
  readonly notes: string | undefined;
  readonly runId: string | undefined;
  readonly mode: "online" | "offline" | "disabled" | undefined;
}

/** How an objective's training times are drawn. */
export type TimeSettings = CamelSection<z.infer<typeof TIME>> & { readonly shareAtAtoms: number };
/** Every setting is described in the schema, `config-schema.ts`. */
export type ReflowSettings = Omit<CamelSection<z.infer<typeof REFLOW>>, "time"> & { readonly time: TimeSettings };
export type FlowMatchingSettings = Omit<CamelSection<z.infer<typeof FLOW_MATCHING>>, "time"> & {
  readonly time: TimeSettings;
};
export type HeldOutSettings = CamelSection<z.infer<typeof HELD_OUT>>;
export type PeftSettings = CamelSection<z.infer<typeof PEFT>>;
export type EmaSettings = CamelSection<z.infer<typeof EMA>>;

const WHERE = "training config";

const twoDigits = (n: number): string => String(n).padStart(2, "0");

/** `outputs/train/<YYYY-MM-DD>/<HH-MM-SS>_<job>`, local time, as LeRobot names runs. */
function defaultOutputDir(jobName: string, now: Date): string {
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(twoDigits).join("-");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(twoDigits).join("-");
  return `outputs/train/${date}/${time}_${jobName}`;
}

/** What a problem's message does not say yet: where a misplaced setting belongs, how a number is kept as text. */
function withHint({ path, message }: ConfigProblem): ConfigProblem {
  if (message.startsWith("unknown key")) {
    const name = path.slice(path.lastIndexOf(".") + 1);
    const elsewhere = SETTING_NAMES.filter((known) => known === name || known.endsWith(`.${name}`));
    if (elsewhere.length === 0) return { path, message };
    return { path, message: `unknown key. Did you mean ${elsewhere.map((known) => `"${known}"`).join(" or ")}?` };
  }
  const [, value] = /^expected a text, got (-?[\d.].*|true|false)$/.exec(message) ?? [];
  return { path, message: value ? `${message}. Quote it to keep it as text: --${path}='"${value}"'` : message };
}

function parseJson(raw: unknown): TrainJson {
  try {
    return parseWithSchema(TRAIN_SCHEMA, raw, WHERE);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(WHERE, error.problems.map(withHint));
  }
}

/** Share of samples at single times in a stage that is not told. */
export const defaultShareAtAtoms = (stage: TrainJson["reflow"]["stage"]): number =>
  stage === "distill" ? 1 : REFLOW_SHARE_AT_ATOMS;

const timeFrom = (json: z.infer<typeof TIME>, shareAtAtoms: number): TimeSettings => {
  const time = camelSection(json);
  return { ...time, shareAtAtoms: time.shareAtAtoms ?? shareAtAtoms };
};

function configFrom(json: TrainJson, now: Date): TrainConfig {
  const { env, use_rabc, rabc_progress_path, rabc_kappa, rabc_epsilon, rabc_head_mode, ...settings } = json;
  const { streaming, image_transforms, ...dataset } = json.dataset;
  const {
    type,
    path,
    pretrained_path,
    device,
    push_to_hub,
    repo_id,
    use_reflow,
    teacher_model_path,
    reflow_num_inference_steps,
    student_init,
    ...fields
  } = json.policy;
  const jobName = json.job_name ?? "smolvla";
  return {
    ...camelKeys(settings),
    dataset: camelKeys(dataset),
    policy: {
      type: type === null ? undefined : "smolvla",
      path: path ?? undefined,
      pretrainedPath: pretrained_path ?? undefined,
      device: device ?? undefined,
      pushToHub: push_to_hub,
      repoId: repo_id ?? undefined,
      useReflow: use_reflow,
      teacherModelPath: teacher_model_path ?? undefined,
      reflowNumInferenceSteps: reflow_num_inference_steps,
      studentInit: student_init,
      fields,
    },
    jobName,
    outputDir: json.output_dir ?? defaultOutputDir(jobName, now),
    optimizer: json.optimizer === null ? undefined : camelKeys(json.optimizer),
    scheduler: json.scheduler === null ? undefined : camelKeys(json.scheduler),
    eval: camelKeys(json.eval),
    wandb: camelKeys(json.wandb),
    steps: json.steps ?? defaultSteps(use_reflow),
    peft: json.peft === null ? undefined : camelKeys(json.peft),
    ema: camelSection(json.ema),
    heldOut: camelSection(json.held_out),
    flowMatching: { ...camelSection(json.flow_matching), time: timeFrom(json.flow_matching.time, 0) },
    reflow: { ...camelSection(json.reflow), time: timeFrom(json.reflow.time, defaultShareAtAtoms(json.reflow.stage)) },
  };
}

/**
 * The configuration in nested settings with LeRobot's names, as files and command lines give them, and warnings about
 * settings that have no effect. Missing settings take LeRobot's defaults, except that `policy.push_to_hub` is off.
 *
 * Optimizer and schedule stay undefined when they come from the policy's presets, which only its `config.json` knows.
 *
 * @throws ConfigError with all wrong values at once; if there are none, with everything that does not fit together
 */
export function parseTrainConfig(
  raw: unknown,
  options: { readonly now?: Date } = {},
): { readonly config: TrainConfig; readonly warnings: readonly string[] } {
  const json = parseJson(raw);
  const problems = findProblems(json);
  if (problems.length > 0) throw new ConfigError(WHERE, problems);
  return { config: configFrom(json, options.now ?? new Date()), warnings: findWarnings(json) };
}

/**
 * A training run's overrides of the policy's `config.json`, to be put over it before it is parsed. Where to upload is the
 * run's decision always, so that a copy of a published policy is never uploaded over it by accident. A student that is trained
 * at single times alone is deployed with the steps that ask for these, unless the run says otherwise.
 */
export function policyOverrides({ policy, reflow }: TrainConfig): Readonly<Record<string, unknown>> {
  const numSteps = policy.useReflow ? mostStepsTrainedFor(reflow.time) : undefined;
  return {
    ...(numSteps === undefined ? {} : { num_steps: numSteps }),
    ...policy.fields,
    ...(policy.device === undefined ? {} : { device: policy.device }),
    push_to_hub: policy.pushToHub,
    repo_id: policy.repoId ?? null,
  };
}

import { ConfigError, type ConfigProblem } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { PythonFloat, stringifyAsPython } from "../support/python-json.js";
import type { FeatureType, NormalizationMode, PolicyFeatures } from "./config-features.js";
import { CONFIG_SCHEMA, FLOAT_KEYS, type SmolVLAJson, WRITTEN_KEYS } from "./config-schema.js";

export {
  actionDim,
  type DatasetFeature,
  FEATURE_TYPES,
  type FeatureType,
  featuresFromDataset,
  imageFeatureNames,
  NORMALIZATION_MODES,
  type NormalizationMode,
  type PolicyFeature,
  type PolicyFeatures,
  stateDim,
} from "./config-features.js";

/**
 * The configuration of a SmolVLA policy: the content of its `config.json`, with LeRobot's names in camelCase.
 * Settings that the file leaves open (`null`, `-1`, `0`) are `undefined` here.
 */
export interface SmolVLAConfig {
  readonly nObsSteps: number;
  /** in the order in which the network sees the cameras; shapes without batch and time, images channel-first */
  readonly inputFeatures: PolicyFeatures;
  readonly outputFeatures: PolicyFeatures;
  readonly device: string | undefined;
  readonly useAmp: boolean;
  readonly usePeft: boolean;
  readonly pushToHub: boolean;
  readonly repoId: string | undefined;
  readonly private: boolean | undefined;
  readonly tags: readonly string[] | undefined;
  readonly license: string | undefined;
  readonly pretrainedPath: string | undefined;
  /** read from files of later LeRobot versions, never written: version 0.4.4 refuses the key */
  readonly pretrainedRevision: string | undefined;
  /** A, the number of actions predicted at once */
  readonly chunkSize: number;
  /** how many actions of a chunk are carried out before the next is predicted, at most `chunkSize` */
  readonly nActionSteps: number;
  readonly normalizationMapping: Readonly<Partial<Record<FeatureType, NormalizationMode>>>;
  /** S, the width to which states are padded with zeros */
  readonly maxStateDim: number;
  /** M, the width to which actions are padded with zeros */
  readonly maxActionDim: number;
  readonly resizeImgsWithPadding: readonly [width: number, height: number] | undefined;
  readonly emptyCameras: number;
  readonly adaptToPiAloha: boolean;
  readonly useDeltaJointActionsAloha: false;
  readonly tokenizerMaxLength: number;
  /** Euler steps at inference */
  readonly numSteps: number;
  readonly useCache: true;
  readonly freezeVisionEncoder: boolean;
  readonly trainExpertOnly: boolean;
  readonly trainStateProj: boolean;
  readonly optimizerLr: number;
  readonly optimizerBetas: readonly [number, number];
  readonly optimizerEps: number;
  readonly optimizerWeightDecay: number;
  readonly optimizerGradClipNorm: number;
  readonly schedulerWarmupSteps: number;
  readonly schedulerDecaySteps: number;
  readonly schedulerDecayLr: number;
  /** Hub id or folder of the vision-language model, and the tokenizer's name */
  readonly vlmModelName: string;
  readonly loadVlmWeights: boolean;
  readonly addImageSpecialTokens: boolean;
  /** free text: only whether it contains "cross" matters, see `usesCrossAttention` */
  readonly attentionMode: string;
  /** prefixes shorter than this are padded on the right; undefined for no padding */
  readonly prefixLength: number | undefined;
  readonly padLanguageTo: "longest" | "max_length";
  /** undefined for as many as the vision-language model has */
  readonly numExpertLayers: number | undefined;
  /** how many of the vision-language model's layers are kept; undefined for all */
  readonly numVlmLayers: number | undefined;
  /** every how many layers the expert attends to itself; undefined for never */
  readonly selfAttnEveryNLayers: number | undefined;
  readonly expertWidthMultiplier: number;
  readonly minPeriod: number;
  readonly maxPeriod: number;
  /** real-time chunking, kept as it was read; it is not applied */
  readonly rtcConfig: Readonly<Record<string, unknown>> | undefined;
  readonly compileModel: boolean;
  readonly compileMode: string;
  /** how the file spelt the settings that are undefined here, by JSON key, so that it is written as it was read */
  readonly openSettings: Readonly<Record<string, unknown>>;
}

const camelCase = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Counts for which LeRobot reads every number below 1 as "not set". */
const OPEN_BELOW_ONE: ReadonlySet<string> = new Set([
  "prefix_length",
  "num_expert_layers",
  "num_vlm_layers",
  "self_attn_every_n_layers",
]);

const isOpen = (key: string, value: unknown): boolean =>
  value === null || (OPEN_BELOW_ONE.has(key) && (value as number) <= 0);

const isEmptyObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

/**
 * The configuration in a `config.json`, read as strictly as LeRobot reads it: unknown keys are errors, missing keys take
 * LeRobot's defaults. Accepts the keys of version 0.4.4 and those that later versions added. What stock LeRobot itself
 * cannot run is refused with the reason.
 *
 * Empty cameras (`empty_cameras`) are added to the input features as LeRobot adds them when it builds the policy: after
 * the others, unless there are no input features yet (they are then taken from a dataset first).
 *
 * @param where the file's path, or what else the user knows the JSON by
 * @throws ConfigError with all problems at once
 */
export function parseSmolVLAConfig(json: unknown, where: string): SmolVLAConfig {
  const parsed = parseWithSchema(CONFIG_SCHEMA, json, where);
  const problems = findContradictions(parsed);
  if (problems.length > 0) throw new ConfigError(where, problems);
  const fields: Record<string, unknown> = {};
  const openSettings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(parsed)) {
    if (key === "type") continue;
    fields[camelCase(key)] = isOpen(key, value) ? undefined : value;
    if (isOpen(key, value)) openSettings[key] = value;
  }
  fields.inputFeatures ??= {};
  fields.outputFeatures ??= {};
  const config = { ...fields, openSettings } as unknown as SmolVLAConfig;
  return isEmptyObject(config.inputFeatures) ? config : withEmptyCameras(config);
}

/** Problems that concern more than one setting, or a setting that LeRobot has but cannot run. */
function findContradictions(json: SmolVLAJson): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuse = (path: string, message: string): void => void problems.push({ path, message });
  if (json.n_action_steps > json.chunk_size) {
    refuse(
      "n_action_steps",
      `expected at most chunk_size (${json.chunk_size}) action steps per prediction, got ${json.n_action_steps}`,
    );
  }
  if (json.use_delta_joint_actions_aloha) {
    refuse("use_delta_joint_actions_aloha", "expected false, got true. LeRobot has not ported these actions itself");
  }
  if (!json.use_cache) {
    refuse("use_cache", "expected true, got false. LeRobot has no working way to sample without the prefix cache");
  }
  if (json.max_period <= json.min_period) {
    refuse("max_period", `expected a number above min_period (${json.min_period}), got ${json.max_period}`);
  }
  for (const [path, name, key] of [
    ["output_features", "action", "max_action_dim"],
    ["input_features", "observation.state", "max_state_dim"],
  ] as const) {
    const width = json[path]?.[name]?.shape[0] ?? 0;
    if (width > json[key])
      refuse(`${path}.${name}.shape`, `expected at most ${key} (${json[key]}) entries, got ${width}`);
  }
  return problems;
}

/**
 * The configuration with the features of a dataset, as LeRobot fills them in before training: outputs are always the
 * dataset's, inputs only if the configuration has none.
 */
export function withDatasetFeatures(config: SmolVLAConfig, features: PolicyFeatures): SmolVLAConfig {
  const pick = (isOutput: boolean): PolicyFeatures =>
    Object.fromEntries(Object.entries(features).filter(([, { type }]) => (type === "ACTION") === isOutput));
  return withEmptyCameras({
    ...config,
    outputFeatures: pick(true),
    inputFeatures: isEmptyObject(config.inputFeatures) ? pick(false) : config.inputFeatures,
  });
}

/** Whether the expert reads the prefix by cross-attention in the layers where it does not attend to itself. */
export const usesCrossAttention = (config: SmolVLAConfig): boolean => config.attentionMode.includes("cross");

/** The input features with `empty_cameras` unseen cameras after the others; the same configuration if it has none. */
export function withEmptyCameras(config: SmolVLAConfig): SmolVLAConfig {
  if (config.emptyCameras === 0) return config;
  const cameras = Array.from({ length: config.emptyCameras }, (_, i) => [
    `observation.images.empty_camera_${i}`,
    { type: "VISUAL", shape: [3, 480, 640] } as const,
  ]);
  return { ...config, inputFeatures: { ...config.inputFeatures, ...Object.fromEntries(cameras) } };
}

/**
 * A `config.json` in the form of LeRobot 0.4.4, which every version from there on can read: its keys, their order, indent
 * 4, numbers as Python prints them. A file of that version that was read is written byte for byte as it was.
 */
export function toSmolVLAJson(config: SmolVLAConfig): string {
  const json: Record<string, unknown> = { type: "smolvla" };
  for (const key of WRITTEN_KEYS) {
    const value = (config as unknown as Readonly<Record<string, unknown>>)[camelCase(key)];
    const isUnset = value === undefined || (key in config.openSettings && isEmptyObject(value));
    json[key] = isUnset ? (config.openSettings[key] ?? (OPEN_BELOW_ONE.has(key) ? -1 : null)) : markFloats(key, value);
  }
  return stringifyAsPython(json, 4);
}

function markFloats(key: string, value: unknown): unknown {
  if (key === "rtc_config") {
    const weight = (value as Record<string, unknown>).max_guidance_weight;
    if (typeof weight !== "number") return value;
    return { ...(value as Record<string, unknown>), max_guidance_weight: new PythonFloat(weight) };
  }
  if (!FLOAT_KEYS.has(key)) return value;
  return Array.isArray(value) ? value.map((n: number) => new PythonFloat(n)) : new PythonFloat(value as number);
}

/** Settings of the configuration that load but have no effect here, each as a sentence; empty for most policies. */
export function configWarnings(config: SmolVLAConfig): readonly string[] {
  const warnings: string[] = [];
  if (config.rtcConfig?.enabled === true) {
    warnings.push("rtc_config is enabled, but real-time chunking is not applied: chunks are predicted independently");
  }
  if (config.compileModel) warnings.push("compile_model is true, but has no effect: the network is not compiled");
  if (config.useAmp) warnings.push("use_amp is true, but has no effect: the network runs in the precision it is given");
  if (config.usePeft) {
    warnings.push("use_peft is true, but the folder holds complete weights, which are used without an adapter");
  }
  return warnings;
}

import type { FeatureType, NormalizationMode, PolicyFeatures } from "../../smolvla/config.js";
import type { HostArray } from "../../support/host-array.js";

/**
 * LeRobot's processor pipelines as plain data: what happens to a batch before the network sees it, and to actions after.
 *
 * A pipeline holds only objects, maps, texts and typed arrays, so it can be handed to a worker thread as it is
 * (`postMessage`, `structuredClone`). Nothing here changes a pipeline; the `with...` functions give new ones.
 */
export interface ProcessorPipeline {
  readonly name: PipelineName;
  readonly steps: readonly ProcessorStep[];
}

export const PIPELINE_NAMES = ["policy_preprocessor", "policy_postprocessor"] as const;
export type PipelineName = (typeof PIPELINE_NAMES)[number];

/** Both pipelines of a policy. */
export interface ProcessorPipelines {
  readonly preprocessor: ProcessorPipeline;
  readonly postprocessor: ProcessorPipeline;
}

/** Statistics of a dataset: feature, then statistic (`mean`, `std`, `min`, `max`, `q01`, ...), as float32 arrays. */
export type Statistics = ReadonlyMap<string, ReadonlyMap<string, HostArray>>;

/** Gives cameras and states the names under which the policy knows them. */
export interface RenameStep {
  readonly kind: "rename_observations_processor";
  readonly renameMap: Readonly<Record<string, string>>;
}

/** Names that a pipeline gives to observations: the robot's or the dataset's name -> the policy's. */
export const observationRenames = ({ steps }: ProcessorPipeline): Readonly<Record<string, string>> =>
  steps.find((step) => step.kind === "rename_observations_processor")?.renameMap ?? {};

/** Adds the batch axis to a single observation. */
export interface ToBatchStep {
  readonly kind: "to_batch_processor";
}

/** Ends every task with a newline. */
export interface NewLineStep {
  readonly kind: "smolvla_new_line_processor";
}

/** Turns tasks into tokens. */
export interface TokenizerStep {
  readonly kind: "tokenizer_processor";
  /** Hub id or folder of the tokenizer */
  readonly tokenizerName: string;
  /** where the tokenizer lies if it was saved with the policy; undefined to find it by its name */
  readonly tokenizerFolder: string | undefined;
  readonly maxLength: number;
  readonly padding: "longest" | "max_length";
  readonly paddingSide: "left" | "right";
  readonly truncation: boolean;
}

/** Where LeRobot moves the batch. Without effect on host arrays; kept for the file. */
export interface DeviceStep {
  readonly kind: "device_processor";
  readonly device: string;
  readonly floatDtype: "float32" | undefined;
}

/** Normalises observations and actions, or turns normalised ones back. Features without statistics pass unchanged. */
export interface NormalizationStep {
  readonly kind: "normalizer_processor" | "unnormalizer_processor";
  readonly eps: number;
  readonly features: PolicyFeatures;
  readonly normMap: Readonly<Partial<Record<FeatureType, NormalizationMode>>>;
  /** if given, only these observations are normalised */
  readonly normalizeObservationKeys: readonly string[] | undefined;
  readonly statistics: Statistics;
}

export type ProcessorStep = RenameStep | ToBatchStep | NewLineStep | TokenizerStep | DeviceStep | NormalizationStep;

export const isNormalization = (step: ProcessorStep): step is NormalizationStep =>
  step.kind === "normalizer_processor" || step.kind === "unnormalizer_processor";

/** The tokenizer step of a pipeline, or undefined. */
export const tokenizerStepOf = (pipeline: ProcessorPipeline): TokenizerStep | undefined =>
  pipeline.steps.find((step) => step.kind === "tokenizer_processor");

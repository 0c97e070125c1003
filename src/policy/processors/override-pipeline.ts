import type { FeatureType, NormalizationMode, PolicyFeatures } from "../../smolvla/config.js";
import { ConfigError } from "../../support/errors.js";
import { isNormalization, type ProcessorPipeline, type ProcessorStep, type Statistics } from "./pipeline.js";
import { float32Statistics } from "./statistics.js";

/** The overrides that LeRobot applies to loaded pipelines, as new pipelines. */

const mapSteps = (pipeline: ProcessorPipeline, change: (step: ProcessorStep) => ProcessorStep): ProcessorPipeline => ({
  ...pipeline,
  steps: pipeline.steps.map(change),
});

/**
 * What fine-tuning does to normalisation: other statistics, features and modes in every normalisation step. Empty statistics
 * keep those that were loaded, as in LeRobot.
 *
 * @param features inputs and outputs for a pre-processor, outputs alone for a post-processor
 */
export function withStatistics(
  pipeline: ProcessorPipeline,
  statistics: Statistics,
  features: PolicyFeatures,
  normMap: Readonly<Partial<Record<FeatureType, NormalizationMode>>>,
): ProcessorPipeline {
  return mapSteps(pipeline, (step) =>
    isNormalization(step)
      ? {
          ...step,
          features,
          normMap,
          statistics: statistics.size > 0 ? float32Statistics(statistics) : step.statistics,
        }
      : step,
  );
}

/** The pipeline for another kind of device; an index ("cuda:1") is left out, as LeRobot does. */
export const withDevice = (pipeline: ProcessorPipeline, device: string): ProcessorPipeline =>
  mapSteps(pipeline, (step) =>
    step.kind === "device_processor" ? { ...step, device: device.replace(/:.*$/, "") } : step,
  );

/** The pipeline that looks for its tokenizer under another name. */
export const withTokenizerName = (pipeline: ProcessorPipeline, tokenizerName: string): ProcessorPipeline =>
  mapSteps(pipeline, (step) =>
    step.kind === "tokenizer_processor" ? { ...step, tokenizerName, tokenizerFolder: undefined } : step,
  );

/**
 * The pipeline with another map from a dataset's names to the policy's.
 *
 * @throws ConfigError if it has no step that renames
 */
export function withRenameMap(
  pipeline: ProcessorPipeline,
  renameMap: Readonly<Record<string, string>>,
): ProcessorPipeline {
  const canRename = pipeline.steps.some((step) => step.kind === "rename_observations_processor");
  if (!canRename && Object.keys(renameMap).length > 0) {
    throw new ConfigError(
      "rename_map",
      `expected a ${pipeline.name} with a rename_observations_processor, got one without`,
    );
  }
  return mapSteps(pipeline, (step) => (step.kind === "rename_observations_processor" ? { ...step, renameMap } : step));
}

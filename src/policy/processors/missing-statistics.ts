import type { NormalizationMode, PolicyFeature, SmolVLAConfig } from "../../smolvla/config.js";
import { neededStatistics } from "./normalization.js";
import { isNormalization, type NormalizationStep, type ProcessorPipeline } from "./pipeline.js";

/** A statistic without which a feature passes un-normalised although the policy expects it normalised. */
export interface MissingStatistic {
  readonly feature: string;
  readonly mode: NormalizationMode;
  readonly stat: string;
  /** pipeline and step, in the words of its file */
  readonly where: string;
}

type NormalizedPolicy = Pick<SmolVLAConfig, "inputFeatures" | "outputFeatures" | "normalizationMapping">;

/**
 * Every statistic that a policy needs and its pipeline does not apply; empty for a healthy policy.
 *
 * LeRobot passes features without statistics unchanged and says nothing. A policy trained or saved that way sees raw
 * states and sends normalised actions to the robot, so training and export should stop if this finds anything. Also
 * counted: a pipeline without a normalisation step, a step that does not list the feature or leaves its kind IDENTITY, and
 * statistics that are not finite. Empty cameras are not: nothing is ever normalised for them.
 */
export function missingStatistics(pipeline: ProcessorPipeline, config: NormalizedPolicy): readonly MissingStatistic[] {
  const isPreprocessor = pipeline.name === "policy_preprocessor";
  const kind = isPreprocessor ? "normalizer_processor" : "unnormalizer_processor";
  const index = pipeline.steps.findIndex((step) => step.kind === kind);
  const found = pipeline.steps[index];
  const step = found !== undefined && isNormalization(found) ? found : undefined;
  const where = step === undefined ? `${pipeline.name} (no ${kind})` : `${pipeline.name} step ${index} (${kind})`;
  // Of the outputs only "action" is ever normalised; observations pass through the pre-processor alone.
  const action = Object.entries(config.outputFeatures).filter(([name]) => name === "action");
  const features = isPreprocessor ? [...Object.entries(config.inputFeatures), ...action] : action;
  return features.flatMap(([feature, { type }]) => {
    if (/^observation\.images\.empty_camera_\d+$/.test(feature)) return [];
    const stepMode = step?.normMap[type] ?? "IDENTITY";
    const mode = stepMode === "IDENTITY" ? (config.normalizationMapping[type] ?? "IDENTITY") : stepMode;
    const reaches = step !== undefined && stepMode !== "IDENTITY" && appliesTo(step, feature, type);
    return neededStatistics(mode)
      .filter((stat) => !reaches || !hasFinite(step, feature, stat))
      .map((stat) => ({ feature, mode, stat, where }));
  });
}

/** Actions are normalised by their name alone, observations only if the step lists them. */
function appliesTo(step: NormalizationStep, feature: string, type: PolicyFeature["type"]): boolean {
  if (type === "ACTION") return true;
  return feature in step.features && (step.normalizeObservationKeys?.includes(feature) ?? true);
}

function hasFinite(step: NormalizationStep, feature: string, stat: string): boolean {
  const statistic = step.statistics.get(feature)?.get(stat);
  return statistic !== undefined && (statistic.data as Float32Array).every(Number.isFinite);
}

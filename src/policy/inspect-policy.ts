/** What a policy folder holds and whether it is whole, without loading its network. */
import { dirname, join } from "node:path";
import {
  configWarnings,
  type NormalizationMode,
  type PolicyFeature,
  parseSmolVLAConfig,
  type SmolVLAConfig,
} from "../smolvla/config.js";
import { WEIGHTS_FILE } from "../smolvla/load.js";
import { isUserError } from "../support/errors.js";
import { inspectWeights, type WeightsReport } from "./inspect-weights.js";
import { migrateProcessors } from "./old-layout/migrate-processors.js";
import { currentName } from "./old-layout/stored-names.js";
import { readPolicyJson } from "./policy-files.js";
import { loadProcessorPipeline } from "./processors/load-pipeline.js";
import { missingStatistics } from "./processors/missing-statistics.js";
import { neededStatistics } from "./processors/normalization.js";
import { isNormalization, PIPELINE_NAMES, type ProcessorPipeline } from "./processors/pipeline.js";
import { statisticsHash } from "./processors/statistics.js";
import { type Provenance, readProvenance } from "./provenance.js";
import { findVlmConfig } from "./resources.js";

export interface PolicyReport {
  readonly folder: string;
  readonly config: SmolVLAConfig;
  readonly features: readonly FeatureReport[];
  /** undefined if the file cannot be read */
  readonly weights: WeightsReport | undefined;
  /** those that can be read */
  readonly processors: readonly ProcessorPipeline[];
  /** which rectified flow it is, and of whom; undefined if that was not recorded */
  readonly provenance: Provenance | undefined;
  /** what works but may not be meant, as sentences */
  readonly warnings: readonly string[];
  /** what keeps the policy from being loaded, as sentences; empty for a whole one */
  readonly faults: readonly string[];
}

export interface FeatureReport extends PolicyFeature {
  readonly name: string;
  readonly isOutput: boolean;
  readonly mode: NormalizationMode;
  /** statistics that the mode needs */
  readonly needed: readonly string[];
  /** those of them that are not applied, and by which step */
  readonly missing: readonly { readonly stat: string; readonly where: string }[];
}

/**
 * Inspects a policy folder. Only its configuration must be readable; everything else that is missing or damaged becomes a
 * fault in the report.
 *
 * @throws CheckpointError or ConfigError for the configuration
 */
export async function inspectPolicy(folder: string): Promise<PolicyReport> {
  const faults: string[] = [];
  const attempt = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!isUserError(error)) throw error;
      faults.push(error.message);
      return undefined;
    }
  };
  const { json, path, old } = await readPolicyJson(folder);
  const config = parseSmolVLAConfig(json, path);
  const provenance = await attempt(readProvenance(folder));
  const besides = [dirname(folder), ...(provenance?.resourceFolders ?? [])];
  const vlmConfig = await attempt(findVlmConfig(config.vlmModelName, besides));
  const weights = await attempt(inspectWeights(join(folder, WEIGHTS_FILE), config, vlmConfig, old && currentName));
  const migrated = old && (await attempt(migrateProcessors(folder, old, config)));
  const processors: ProcessorPipeline[] = Object.values(migrated?.processors ?? {});
  for (const name of old === undefined ? PIPELINE_NAMES : []) {
    const pipeline = await attempt(loadProcessorPipeline(folder, name));
    if (pipeline !== undefined) processors.push(pipeline);
  }
  const features = reportFeatures(config, processors);
  return {
    folder,
    config,
    features,
    weights,
    processors,
    provenance,
    warnings: [
      ...(migrated?.warnings ?? []),
      ...configWarnings(config),
      ...statisticsWarnings(features),
      ...provenanceWarnings(provenance, processors),
    ],
    faults: [...faults, ...featureFaults(config), ...weightFaults(weights)],
  };
}

function reportFeatures(config: SmolVLAConfig, processors: readonly ProcessorPipeline[]): FeatureReport[] {
  const missing = processors.flatMap((pipeline) => missingStatistics(pipeline, config));
  const steps = processors.flatMap((pipeline) => pipeline.steps.filter(isNormalization));
  const modeOf = ({ type }: PolicyFeature): NormalizationMode => {
    const applied = steps.map((step) => step.normMap[type] ?? "IDENTITY").find((mode) => mode !== "IDENTITY");
    return applied ?? config.normalizationMapping[type] ?? "IDENTITY";
  };
  const report = (isOutput: boolean, [name, feature]: [string, PolicyFeature]): FeatureReport => {
    const mode = modeOf(feature);
    return {
      name,
      ...feature,
      isOutput,
      mode,
      needed: neededStatistics(mode),
      missing: missing.filter((entry) => entry.feature === name).map(({ stat, where }) => ({ stat, where })),
    };
  };
  return [
    ...Object.entries(config.inputFeatures).map((entry) => report(false, entry)),
    ...Object.entries(config.outputFeatures).map((entry) => report(true, entry)),
  ];
}

function featureFaults({ inputFeatures, outputFeatures }: SmolVLAConfig): string[] {
  const faults: string[] = [];
  if (outputFeatures.action === undefined) faults.push('config.json has no output feature "action"');
  if (inputFeatures["observation.state"] === undefined) {
    faults.push('config.json has no input feature "observation.state"');
  }
  if (!Object.values(inputFeatures).some(({ type }) => type === "VISUAL")) faults.push("config.json has no camera");
  return faults;
}

const MAX_NAMES = 3;

function listed(names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  return names.slice(0, MAX_NAMES).join(", ") + more;
}

const tensors = (count: number): string => (count === 1 ? "1 tensor" : `${count} tensors`);

function weightFaults(weights: WeightsReport | undefined): string[] {
  if (weights?.misfits === undefined) return [];
  const { missing, unexpected, misshapen } = weights.misfits;
  const shapes = misshapen.map(
    ({ name, expected, got }) => `${name} (expected [${expected.join(", ")}], got [${got.join(", ")}])`,
  );
  return [
    ...(missing.length > 0 ? [`${WEIGHTS_FILE}: ${tensors(missing.length)} missing: ${listed(missing)}`] : []),
    ...(unexpected.length > 0
      ? [`${WEIGHTS_FILE}: ${tensors(unexpected.length)} that SmolVLA does not have: ${listed(unexpected)}`]
      : []),
    ...(shapes.length > 0
      ? [`${WEIGHTS_FILE}: ${tensors(shapes.length)} of another shape than the configuration gives: ${listed(shapes)}`]
      : []),
  ];
}

function statisticsWarnings(features: readonly FeatureReport[]): string[] {
  const names = features.filter(({ missing }) => missing.length > 0).map(({ name }) => name);
  if (names.length === 0) return [];
  return [
    `statistics are missing for ${names.join(", ")}: states reach the network raw, or actions reach the robot normalised. ` +
      "Only fine-tuning on a dataset gives them",
  ];
}

function provenanceWarnings(provenance: Provenance | undefined, processors: readonly ProcessorPipeline[]): string[] {
  if (provenance === undefined || processors.length < 2) return [];
  if (provenance.statisticsSha256 === statisticsHash(processors)) return [];
  return ["the statistics in the processors are not those that reflow.json recorded: they were changed after training"];
}

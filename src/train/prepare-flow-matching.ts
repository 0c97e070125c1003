import type { DatasetMetadata } from "../data/index.js";
import { resolveFolder } from "../hub/resolve-folder.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { makeProcessorPipelines } from "../policy/processors/make-pipelines.js";
import { withDevice, withRenameMap, withStatistics } from "../policy/processors/override-pipeline.js";
import type { ProcessorPipelines } from "../policy/processors/pipeline.js";
import { findPolicyResources } from "../policy/resources.js";
import { buildOptions, SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { parseSmolVLAConfig, withDatasetFeatures } from "../smolvla/config.js";
import { initializeSmolVLA, WEIGHTS_FILE } from "../smolvla/load.js";
import { deriveSeed } from "../support/derive-seed.js";
import { Generator } from "../torch/index.js";
import { policyOverrides, type TrainConfig } from "./config.js";
import { featuresOf, trainingStatistics } from "./dataset-statistics.js";
import { flowMatching } from "./objectives/make-objective.js";
import { loadOptions, readConfigs } from "./policy-configs.js";
import type { PreparedPolicy } from "./prepare-policy.js";
import { commonProvenance } from "./run-provenance.js";

/** A flow-matching run on a dataset's demonstrations: continued, from a trained policy, or from a new one. */
export async function prepareFlowMatching(
  config: TrainConfig,
  dataset: DatasetMetadata,
  seed: number,
  checkpoint: string | undefined,
): Promise<PreparedPolicy> {
  // The weights of a checkpoint with an adapter have it merged; the adapter belongs onto what the run started from.
  const start = (config.peft ? undefined : checkpoint) ?? config.policy.path ?? config.policy.pretrainedPath;
  const startFolder = start === undefined ? undefined : await findPolicyFolder(start);
  const policy =
    startFolder === undefined
      ? await newPolicy(config, dataset, seed)
      : await trainedPolicy(startFolder, config, start === checkpoint ? undefined : dataset);
  const objective = flowMatching(policy, config);
  const { flowMatching: settings, ema } = config;
  const provenance = {
    ...commonProvenance(policy),
    k: 1,
    objective: objective.name,
    time: settings.time,
    ...(settings.noisesPerObservation === 1 ? {} : { noisesPerObservation: settings.noisesPerObservation }),
    ...(ema.decay === undefined ? {} : { ema: { decay: ema.decay } }),
  };
  return {
    policy,
    teacher: undefined,
    teacherRound: undefined,
    reference: policy,
    startFolder,
    objective,
    warnings: [],
    provenance: async () => provenance,
  };
}

/** @param dataset gives features and statistics; undefined to keep those of the policy, which a checkpoint has */
async function trainedPolicy(
  folder: string,
  config: TrainConfig,
  dataset: DatasetMetadata | undefined,
): Promise<SmolVLAPolicy> {
  const { merged } = await readConfigs(folder, config);
  if (dataset === undefined) return SmolVLAPolicy.load(folder, { ...loadOptions(config), config: merged });
  const policyConfig = withDatasetFeatures(merged, featuresOf(dataset, config));
  const policy = await SmolVLAPolicy.load(folder, {
    ...loadOptions(config),
    config: policyConfig,
    unsetStatistics: "leave out", // the dataset's take their place
  });
  const statistics = trainingStatistics(dataset, config);
  const { preprocessor, postprocessor } = policy.processors;
  const { inputFeatures, outputFeatures, normalizationMapping } = policyConfig;
  const all = { ...inputFeatures, ...outputFeatures };
  const processors: ProcessorPipelines = {
    preprocessor: withDevice(
      withRenameMap(withStatistics(preprocessor, statistics, all, normalizationMapping), config.renameMap),
      policy.device,
    ),
    postprocessor: withStatistics(postprocessor, statistics, outputFeatures, normalizationMapping),
  };
  return policy.with({ processors });
}

/** A policy with a fresh expert, on the base model's weights with `load_vlm_weights`, on random ones without. */
async function newPolicy(config: TrainConfig, dataset: DatasetMetadata, seed: number): Promise<SmolVLAPolicy> {
  const json = { type: "smolvla", ...policyOverrides(config) };
  const policyConfig = withDatasetFeatures(
    parseSmolVLAConfig(json, "training config at policy"),
    featuresOf(dataset, config),
  );
  const fresh = makeProcessorPipelines(policyConfig, trainingStatistics(dataset, config));
  const processors = { ...fresh, preprocessor: withRenameMap(fresh.preprocessor, config.renameMap) };
  const resources = await findPolicyResources(policyConfig, processors, []);
  const build = buildOptions(policyConfig, resources, loadOptions(config));
  const base = policyConfig.loadVlmWeights
    ? await resolveFolder({ nameOrPath: policyConfig.vlmModelName, kind: "model", files: [WEIGHTS_FILE] })
    : undefined;
  using generator = new Generator(deriveSeed(seed, "initial weights"));
  const model = await initializeSmolVLA(build, generator, base);
  return new SmolVLAPolicy({ ...build, ...resources, model, processors, resourceFolders: [] });
}

/** The policy that a run trains, and the objective it trains it for: from a teacher, from a policy, or from nothing. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DatasetMetadata, DatasetStats } from "../data/index.js";
import { solverByName, timeLawByName } from "../flow/index.js";
import { resolveFolder } from "../hub/resolve-folder.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { makeProcessorPipelines } from "../policy/processors/make-pipelines.js";
import { withDevice, withRenameMap, withStatistics } from "../policy/processors/override-pipeline.js";
import type { ProcessorPipelines } from "../policy/processors/pipeline.js";
import { statisticsHash } from "../policy/processors/statistics.js";
import { CONVENTIONS, type Provenance, readProvenance } from "../policy/provenance.js";
import { findPolicyResources } from "../policy/resources.js";
import { buildOptions, SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { featuresFromDataset, parseSmolVLAConfig, type SmolVLAConfig, withDatasetFeatures } from "../smolvla/config.js";
import { initializeSmolVLA, WEIGHTS_FILE } from "../smolvla/load.js";
import { deriveSeed } from "../support/derive-seed.js";
import { CheckpointError, ConfigError } from "../support/errors.js";
import { hostArray } from "../support/host-array.js";
import { readJson } from "../support/read-json.js";
import { Generator } from "../torch/index.js";
import { policyOverrides, type TrainConfig } from "./config.js";
import { conflictsWithTeacher } from "./config-policy-fields.js";
import { flowMatching } from "./objectives/flow-matching.js";
import type { Objective } from "./objectives/objective.js";
import { reflow } from "./objectives/reflow.js";

export interface PreparedPolicy {
  /** what is trained and saved; its processors are those that are saved */
  readonly policy: SmolVLAPolicy;
  /** what it must equal before the first step: its teacher, or itself */
  readonly reference: SmolVLAPolicy;
  /** the folder whose weights it starts with; undefined for a new policy */
  readonly startFolder: string | undefined;
  readonly objective: Objective;
  /** which parts are trained, see `isTrainable` */
  readonly trainable: Pick<SmolVLAConfig, "trainExpertOnly" | "freezeVisionEncoder" | "trainStateProj">;
  /** what is written beside the weights of every checkpoint; the hash of a large teacher takes seconds */
  readonly provenance: () => Promise<Omit<Provenance, "step">>;
}

type Json = Readonly<Record<string, unknown>>;

/** A folder's `config.json` as it is, and with the run's overrides over it. */
async function readConfigs(folder: string, config: TrainConfig): Promise<{ own: Json; merged: SmolVLAConfig }> {
  const path = join(folder, "config.json");
  const own = (await readJson(path)) as Json;
  return { own, merged: parseSmolVLAConfig({ ...own, ...policyOverrides(config) }, path) };
}

const loadOptions = (config: TrainConfig): { device?: string; precision: TrainConfig["precision"] } => ({
  ...(config.policy.device === undefined ? {} : { device: config.policy.device }),
  precision: config.precision,
});

/**
 * What a run trains, as its settings say.
 *
 * @param checkpoint policy folder of the checkpoint that the run continues from
 */
export function preparePolicy(
  config: TrainConfig,
  dataset: DatasetMetadata,
  seed: number,
  checkpoint: string | undefined,
): Promise<PreparedPolicy> {
  return config.policy.useReflow
    ? prepareReflow(config, checkpoint)
    : prepareFlowMatching(config, dataset, seed, checkpoint);
}

/**
 * Student and teacher of a reflow run. The student is a copy of the teacher's expert on the teacher's own vision-language
 * model; processors and statistics are the teacher's.
 */
async function prepareReflow(config: TrainConfig, checkpoint: string | undefined): Promise<PreparedPolicy> {
  const folder = await findPolicyFolder(config.policy.teacherModelPath!);
  const { own, merged } = await readConfigs(folder, config);
  const conflicts = conflictsWithTeacher(config.policy.fields, own);
  if (conflicts.length > 0) throw new ConfigError("training config", conflicts);
  if (!merged.trainExpertOnly) {
    throw new ConfigError("training config", [
      {
        path: "policy.train_expert_only",
        message:
          "expected true for reflow, got false: teacher and student share one vision-language model, which stays as it is",
      },
    ]);
  }
  const teacher = await SmolVLAPolicy.load(folder, loadOptions(config));
  const student = teacher.with({ model: teacher.model.withCopiedExpert(merged), config: merged });
  const { paddedDims, time, teacherSolver } = config.reflow;
  const numTeacherSteps = config.policy.reflowNumInferenceSteps;
  const objective = reflow({
    teacher: teacher.model,
    student: student.model,
    config: teacher.config,
    device: teacher.device,
    timeLaw: timeLawByName(time.law),
    shareAtNoise: time.shareAtNoise,
    solver: solverByName(teacherSolver),
    numTeacherSteps,
    paddedDims,
  });
  const earlier = await readProvenance(folder);
  const provenance = once(async () => ({
    ...commonProvenance(student),
    k: (earlier?.k ?? 1) + 1,
    objective: objective.name,
    teacher: {
      path: resolve(folder),
      weightsSha256: await weightsHash(folder),
      ...(earlier?.k ? { k: earlier.k } : {}),
    },
    pairs: { solver: teacherSolver, numSteps: numTeacherSteps, paddedDims },
  }));
  if (checkpoint !== undefined) await expectSameTeacher(checkpoint, await provenance());
  return { policy: student, reference: teacher, startFolder: folder, objective, trainable: merged, provenance };
}

/** A run that continues must go on after the teacher it began with. A checkpoint of stock LeRobot does not say which. */
async function expectSameTeacher(checkpoint: string, now: Omit<Provenance, "step">): Promise<void> {
  const then = await readProvenance(checkpoint);
  if (then?.teacher === undefined) return;
  const changed = [
    ...(then.teacher.weightsSha256 === now.teacher?.weightsSha256 ? [] : ["weights"]),
    ...(then.statisticsSha256 === now.statisticsSha256 ? [] : ["statistics"]),
  ];
  if (changed.length === 0) return;
  throw new CheckpointError(
    `--resume: expected the teacher that ${checkpoint} was trained after, got one with other ${changed.join(" and ")} in ` +
      `${now.teacher?.path}. Restore that policy, or start a new run`,
  );
}

/** A flow-matching run on a dataset's demonstrations: continued, from a trained policy, or from a new one. */
async function prepareFlowMatching(
  config: TrainConfig,
  dataset: DatasetMetadata,
  seed: number,
  checkpoint: string | undefined,
): Promise<PreparedPolicy> {
  const start = checkpoint ?? config.policy.path ?? config.policy.pretrainedPath;
  const startFolder = start === undefined ? undefined : await findPolicyFolder(start);
  const policy =
    startFolder === undefined
      ? await newPolicy(config, dataset, seed)
      : await trainedPolicy(startFolder, config, checkpoint === undefined ? dataset : undefined);
  const objective = flowMatching(policy.model, policy.config, policy.device, timeLawByName("beta"));
  const provenance = once(async () => ({ ...commonProvenance(policy), k: 1, objective: objective.name }));
  return { policy, reference: policy, startFolder, objective, trainable: policy.config, provenance };
}

/** @param dataset gives features and statistics; undefined to keep those of the policy, as a run that continues does */
async function trainedPolicy(
  folder: string,
  config: TrainConfig,
  dataset: DatasetMetadata | undefined,
): Promise<SmolVLAPolicy> {
  const { merged } = await readConfigs(folder, config);
  if (dataset === undefined) return SmolVLAPolicy.load(folder, { ...loadOptions(config), config: merged });
  const policyConfig = withDatasetFeatures(merged, featuresOf(dataset, config));
  const policy = await SmolVLAPolicy.load(folder, { ...loadOptions(config), config: policyConfig });
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

function featuresOf(dataset: DatasetMetadata, config: TrainConfig): ReturnType<typeof featuresFromDataset> {
  const features = featuresFromDataset(Object.fromEntries(dataset.features));
  return Object.fromEntries(Object.entries(features).map(([name, f]) => [config.renameMap[name] ?? name, f]));
}

/** Colour statistics of ImageNet, `[3, 1, 1]`. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** The dataset's statistics under the policy's names, with ImageNet's for cameras if the settings say so. */
function trainingStatistics(dataset: DatasetMetadata, config: TrainConfig): DatasetStats {
  const renamed = new Map([...dataset.stats].map(([name, stats]) => [config.renameMap[name] ?? name, stats]));
  if (!config.dataset.useImagenetStats) return renamed;
  for (const camera of dataset.cameraKeys) {
    const name = config.renameMap[camera] ?? camera;
    const imagenet = Object.entries(IMAGENET).map(
      ([stat, values]) => [stat, hostArray("float32", [3, 1, 1], Float32Array.from(values))] as const,
    );
    renamed.set(name, new Map([...(renamed.get(name) ?? []), ...imagenet]));
  }
  return renamed;
}

const commonProvenance = (policy: SmolVLAPolicy) => ({
  format: 1 as const,
  conventions: CONVENTIONS,
  statisticsSha256: statisticsHash([policy.processors.preprocessor, policy.processors.postprocessor]),
  resourceFolders: policy.resourceFolders.map((folder) => resolve(folder)),
});

async function weightsHash(folder: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(join(folder, WEIGHTS_FILE), { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** Calls a function at most once, and gives its result to every caller. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

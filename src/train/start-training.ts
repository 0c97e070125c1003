/** From a run's settings to its loop: dataset, policy, gate, optimizer, batches, checkpoints. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { collate, LeRobotDataset, type LeRobotDatasetOptions, readDatasetMetadata } from "../data/index.js";
import { resolveFolder } from "../hub/resolve-folder.js";
import { AdamW, cosineDecayWithWarmup } from "../optim/index.js";
import { toModelInput } from "../policy/model-input.js";
import { withRenameMap } from "../policy/processors/override-pipeline.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { toCheckpointName } from "../smolvla/checkpoint-names.js";
import { toSmolVLAJson } from "../smolvla/config.js";
import { freezeRule } from "../smolvla/trainable.js";
import { deriveSeed } from "../support/derive-seed.js";
import { CheckpointError } from "../support/errors.js";
import { setFloat32MatmulPrecision, type Tensor } from "../torch/index.js";
import { batchNumber } from "./batch-order.js";
import { checkFeatures } from "./check-features.js";
import { STATE_FOLDER, writeCheckpoint } from "./checkpoint.js";
import { type CheckpointSources, checkpointContent } from "./checkpoint-content.js";
import type { TrainConfig } from "./config.js";
import { describePreset, type SettledTrainConfig, withTrainingPreset } from "./config-preset.js";
import type { ResumeTarget } from "./config-resume.js";
import { AgreementProbe, sampleObservations, splitEpisodes } from "./held-out.js";
import { type LoopEvent, trainingLoop } from "./loop.js";
import { openBatches } from "./prefetched-batches.js";
import { type PreparedPolicy, preparePolicy } from "./prepare-policy.js";
import { checkStepZero } from "./step-zero-gate.js";
import { beginAtSavedWeights, restoreTrainingState } from "./training-state.js";

export interface StartOptions {
  /** the checkpoint to continue from */
  readonly resume?: ResumeTarget | undefined;
  /** asks the run to finish its step, save and stop */
  readonly signal?: AbortSignal | undefined;
  /** told what is being done before the first step, and what a user should know */
  readonly onMessage?: Say;
}

type Say = (kind: "info" | "warning", message: string) => void;

/** A run that is about to begin. */
export interface TrainingRun {
  /** with presets and seed filled in: what the run does */
  readonly config: SettledTrainConfig & { readonly seed: number };
  readonly policy: SmolVLAPolicy;
  /** whose flow is learnt; undefined for flow matching */
  readonly teacher: SmolVLAPolicy | undefined;
  readonly firstStep: number;
  readonly numFrames: number;
  readonly numEpisodes: number;
  /** episodes that the run does not learn from; 0 if agreement is measured on ones that it does */
  readonly numHeldOut: number;
  /** numbers in all weights, and in those that are trained */
  readonly numParameters: number;
  readonly numTrainable: number;
  /** the run itself; starts when it is iterated */
  readonly events: AsyncGenerator<LoopEvent, void, undefined>;
  /** ends threads and frees memory */
  close(): Promise<void>;
}

/** Takes what must be undone when the run ends, in whatever way. */
type AtEnd = (undo: () => void | Promise<void>) => void;

/**
 * Prepares a run in `config.outputDir`, which belongs to the caller alone (see `openRunFolder`).
 *
 * @throws an error of `support/errors.ts` saying what does not fit; nothing has been trained then
 */
export async function startTraining(settings: TrainConfig, options: StartOptions = {}): Promise<TrainingRun> {
  const undos: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const undo of undos.splice(0).reverse()) await undo();
  };
  try {
    return { ...(await prepareRun(settings, options, (undo) => undos.push(undo))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepareRun(
  settings: TrainConfig,
  { resume, signal, onMessage: say = () => {} }: StartOptions,
  atEnd: AtEnd,
): Promise<Omit<TrainingRun, "close">> {
  // A seed that NumPy takes too, so that LeRobot can continue the run.
  const seed = settings.seed ?? deriveSeed(Date.now(), process.pid) % 2 ** 32;
  const source = await datasetOptions(settings);
  const metadata = await readDatasetMetadata(source.root, source.repoId);
  const { training, heldOut } = splitEpisodes(
    settings.dataset.episodes ?? metadata.episodes.map(({ index }) => index),
    settings,
  );
  await using dataset = await LeRobotDataset.open({ ...source, episodes: training });
  const prepared = await preparePolicy(settings, dataset.metadata, seed, resume?.policyFolder);
  const { policy, teacher, objective, teacherRound } = prepared;
  atEnd(() => {
    objective.dispose();
    policy.dispose();
    teacher?.dispose();
  });
  const featureWarnings = checkFeatures(dataset.metadata, policy.config, settings.renameMap);
  for (const warning of [...policy.warnings, ...prepared.warnings, ...featureWarnings]) say("warning", warning);
  if (policy.device.startsWith("cuda")) setFloat32MatmulPrecision("high"); // as LeRobot trains
  const policyFields = JSON.parse(toSmolVLAJson(policy.config));
  const config = { ...withTrainingPreset(settings, policyFields, teacherRound), seed };
  if (config.usePolicyTrainingPreset && !config.resume) say("info", describePreset(config, teacherRound));

  const parameters = trainableParameters(prepared, config);
  const optimizer = new AdamW(parameters, config.optimizer);
  atEnd(() => optimizer.dispose());
  const schedule = learningRates(config);
  const sources: CheckpointSources = { config, prepared, optimizer, schedule };
  const firstStep = resume ? await continueAfter(resume, sources, say) : 0;
  if (resume === undefined) await begin(sources, dataset, say);
  const probe = await openProbe(config, prepared, { ...source, episodes: heldOut.length > 0 ? heldOut : training });
  if (probe) atEnd(() => probe.dispose());

  const { gradientAccumulation: batchesPerStep } = config;
  const { pairUses, bufferBatches } = config.reflow;
  const reuse = { numUses: teacher ? pairUses : 1, numBatches: bufferBatches, seed: deriveSeed(seed, "order") };
  const batches = await openBatches(
    {
      dataset: { ...source, episodes: training, chunkSize: policy.config.chunkSize },
      preprocessor: withRenameMap(policy.processors.preprocessor, config.renameMap),
      tokenizerFolder: policy.tokenizerFolder,
      batchSize: config.batchSize,
      seed: deriveSeed(seed, "order"),
      reuse,
    },
    config.numWorkers,
    config.steps * batchesPerStep,
  );
  atEnd(() => batches.close());
  const events = trainingLoop({
    objective,
    parameters: [...parameters.values()],
    optimizer,
    schedule,
    maxGradNorm: config.optimizer.gradClipNorm,
    batches,
    batchesPerStep,
    toDevice: ({ arrays, tasks }, place, step) => ({
      input: toModelInput(arrays, policy.config, policy.device),
      arrays,
      tasks,
      number: batchNumber(place, reuse),
      step,
    }),
    device: policy.device,
    seed,
    firstStep,
    numSteps: config.steps,
    evaluations: probe && {
      isDue: (step) => step % config.evalFreq === 0 || step === config.steps,
      measure: () => probe.measure(),
    },
    checkpoints: config.saveCheckpoint
      ? {
          isDue: (step) => step % config.saveFreq === 0 || step === config.steps,
          write: (step) => writeCheckpoint(config.outputDir, step, config.steps, checkpointContent(sources, step)),
        }
      : undefined,
    signal,
  });
  return {
    config,
    policy,
    teacher,
    firstStep,
    numFrames: dataset.numFrames,
    numEpisodes: dataset.numEpisodes,
    numHeldOut: heldOut.length,
    numParameters: policy.model.numParameters,
    numTrainable: [...parameters.values()].reduce((n, parameter) => n + parameter.numElements, 0),
    events,
  };
}

/** What measures the policy during the run; undefined if nothing shall be measured. */
async function openProbe(
  { evalFreq, heldOut, renameMap, seed }: SettledTrainConfig & { readonly seed: number },
  { policy, teacher }: PreparedPolicy,
  source: LeRobotDatasetOptions,
): Promise<AgreementProbe | undefined> {
  if (evalFreq === 0) return undefined;
  await using dataset = await LeRobotDataset.open(source);
  const { numObservations, numNoises, referenceSteps } = heldOut;
  return new AgreementProbe({
    policy,
    teacher,
    observations: await sampleObservations(dataset, numObservations, renameMap),
    numNoises,
    referenceSteps,
    seed: deriveSeed(seed, "held out"),
  });
}

async function datasetOptions({
  dataset,
  toleranceS,
}: TrainConfig): Promise<LeRobotDatasetOptions & { readonly root: string }> {
  const { repoId, revision, episodes } = dataset;
  const root = dataset.root ?? (await resolveFolder({ nameOrPath: repoId!, kind: "dataset", revision }));
  return { root, repoId, episodes, toleranceS };
}

/** Parameters that the run trains, by our names, switched on for gradients; all others are switched off. */
function trainableParameters({ policy }: PreparedPolicy, { freezePattern }: TrainConfig): Map<string, Tensor> {
  const isTrained = freezeRule(freezePattern, policy.config, policy.vlmConfig);
  const chosen = new Map<string, Tensor>();
  for (const [name, parameter] of policy.model.namedParameters()) {
    parameter.requiresGrad = isTrained(name);
    if (parameter.requiresGrad) chosen.set(name, parameter);
  }
  return chosen;
}

/** As in LeRobot, the schedule gives the shape and the optimizer's own rate the height, should they differ. */
function learningRates({ optimizer, scheduler, steps }: SettledTrainConfig): (step: number) => number {
  const shape = cosineDecayWithWarmup(scheduler, steps);
  const height = optimizer.lr / scheduler.peakLr;
  return (step) => shape(step) * height;
}

/** Lets the run begin at its start policy, as the files of that policy have it, and shows that its own files are right. */
async function begin(sources: CheckpointSources, dataset: LeRobotDataset, say: Say): Promise<void> {
  const { config, prepared, optimizer } = sources;
  if (prepared.startFolder !== undefined) await beginAtSavedWeights(prepared.startFolder, optimizer);
  say("info", "step-0 gate: saving the untouched student, loading it again and comparing it with what it started from");
  await checkStepZero({
    reference: prepared.reference,
    writeStudent: checkpointContent(sources, 0).writePolicy,
    observation: await gateObservation(dataset, config),
    scratchFolder: join(config.outputDir, ".step-0-gate"),
    seed: deriveSeed(config.seed, "gate"),
  });
  say("info", "step-0 gate: passed");
}

/** Two frames of the dataset, far apart, under the policy's names. */
async function gateObservation(dataset: LeRobotDataset, { renameMap }: TrainConfig): Promise<ProcessorBatch> {
  const { arrays, tasks } = collate([await dataset.item(0), await dataset.item(Math.floor(dataset.numFrames / 2))]);
  const renamed = Object.entries(arrays).map(([name, array]) => [renameMap[name] ?? name, array]);
  return { arrays: Object.fromEntries(renamed), tasks };
}

/** @returns the steps that were done */
async function continueAfter(
  { checkpointFolder, policyFolder }: ResumeTarget,
  { config, prepared, optimizer }: CheckpointSources,
  say: Say,
): Promise<number> {
  const state = join(checkpointFolder, STATE_FOLDER);
  if (!existsSync(state)) {
    throw new CheckpointError(
      `--resume: ${checkpointFolder} holds no ${STATE_FOLDER}/. Expected a checkpoint with pretrained_model/ and training_state/`,
    );
  }
  const folders = { policy: policyFolder, state };
  const { step, withoutMoments } = await restoreTrainingState(folders, optimizer, prepared.policy.model);
  say("info", `continuing after step ${step}`);
  if (withoutMoments.length > 0) {
    say(
      "warning",
      `the checkpoint has no moments for ${withoutMoments.length} trained tensors (first: ` +
        `${toCheckpointName(withoutMoments[0]!)}), which had no gradient so far: they begin at 0`,
    );
  }
  if (step >= config.steps) {
    say("warning", `the run has all of its ${config.steps} steps. Give more with --steps to train it further`);
  }
  return step;
}

/** From a run's settings to its loop: dataset, policy, gate, optimizer, batches, checkpoints. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { collate, LeRobotDataset, type LeRobotDatasetOptions } from "../data/index.js";
import { resolveFolder } from "../hub/resolve-folder.js";
import { AdamW, cosineDecayWithWarmup } from "../optim/index.js";
import { toModelInput } from "../policy/model-input.js";
import { withRenameMap } from "../policy/processors/override-pipeline.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { writeProvenance } from "../policy/provenance.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { toCheckpointName } from "../smolvla/checkpoint-names.js";
import { toSmolVLAJson } from "../smolvla/config.js";
import { WEIGHTS_FILE } from "../smolvla/load.js";
import { isTrainable } from "../smolvla/trainable.js";
import { writeFileAtomically } from "../support/atomic-file.js";
import { deriveSeed } from "../support/derive-seed.js";
import { CheckpointError } from "../support/errors.js";
import { disposeAll, mapSafetensors, setFloat32MatmulPrecision, type Tensor } from "../torch/index.js";
import { checkFeatures } from "./check-features.js";
import { STATE_FOLDER, writeCheckpoint, writeRunConfig } from "./checkpoint.js";
import type { OptimizerSettings, SchedulerSettings, TrainConfig } from "./config.js";
import { trainConfigToJson } from "./config-json.js";
import { withTrainingPreset } from "./config-preset.js";
import type { ResumeTarget } from "./config-resume.js";
import { formatLeRobotTrainConfig } from "./lerobot-train-config.js";
import { type LoopEvent, trainingLoop } from "./loop.js";
import { readTrainingStep, restoreOptimizer, writeTrainingState } from "./optimizer-files.js";
import { type Batches, openBatches } from "./prefetched-batches.js";
import { type PreparedPolicy, prepareFlowMatching, prepareReflow } from "./prepare-policy.js";
import { checkStepZero } from "./step-zero-gate.js";

export interface StartOptions {
  /** the checkpoint to continue from */
  readonly resume?: ResumeTarget | undefined;
  /** asks the run to finish its step, save and stop */
  readonly signal?: AbortSignal | undefined;
  /** told what is being done before the first step, and what a user should know */
  readonly onMessage?: (kind: "info" | "warning", message: string) => void;
}

/** A run that is about to begin. */
export interface TrainingRun {
  /** with presets filled in: what the run does */
  readonly config: TrainConfig & { readonly optimizer: OptimizerSettings; readonly scheduler: SchedulerSettings };
  readonly policy: SmolVLAPolicy;
  readonly firstStep: number;
  readonly numFrames: number;
  readonly numEpisodes: number;
  /** numbers in all weights, and in those that are trained */
  readonly numParameters: number;
  readonly numTrainable: number;
  /** the run itself; starts when it is iterated */
  readonly events: AsyncGenerator<LoopEvent, void, undefined>;
  /** ends threads and frees memory */
  close(): Promise<void>;
}

/**
 * Prepares a run in `config.outputDir`, which belongs to the caller alone (see `openRunFolder`).
 *
 * @throws an error of `support/errors.ts` saying what does not fit; nothing has been trained then
 */
export async function startTraining(settings: TrainConfig, options: StartOptions = {}): Promise<TrainingRun> {
  const say = options.onMessage ?? (() => {});
  const datasetFolder = await findDataset(settings);
  const datasetOptions = {
    root: datasetFolder,
    repoId: settings.dataset.repoId,
    episodes: settings.dataset.episodes,
    toleranceS: settings.toleranceS,
  };
  const dataset = await LeRobotDataset.open(datasetOptions);
  const seed = settings.seed ?? deriveSeed(Date.now(), process.pid);
  const prepared = settings.policy.useReflow
    ? await prepareReflow(settings)
    : await prepareFlowMatching(settings, dataset.metadata, seed, options.resume?.policyFolder);
  const { policy } = prepared;
  for (const warning of [...policy.warnings, ...checkFeatures(dataset.metadata, policy.config, settings.renameMap)]) {
    say("warning", warning);
  }
  if (policy.device.startsWith("cuda")) setFloat32MatmulPrecision("high"); // as LeRobot trains
  const config = withTrainingPreset(settings, JSON.parse(toSmolVLAJson(policy.config)));

  const parameters = trainableParameters(prepared);
  const optimizer = new AdamW(parameters, config.optimizer);
  const { peakLr, decayLr, numWarmupSteps, numDecaySteps } = config.scheduler;
  const schedule = cosineDecayWithWarmup({ peakLr, decayLr, numWarmupSteps, numDecaySteps }, config.steps);
  const parameterNames = Array.from(policy.model.namedParameters(), ([name]) => name);
  const writePolicy = async (folder: string, step: number): Promise<void> => {
    await policy.save(folder, optimizer.masters());
    await writeProvenance(folder, { ...(await prepared.provenance()), step });
    const lerobotConfig = formatLeRobotTrainConfig(config, JSON.parse(toSmolVLAJson(policy.config)));
    await writeFileAtomically(join(folder, "train_config.json"), lerobotConfig);
  };

  let firstStep = 0;
  if (options.resume) {
    firstStep = await restore(options.resume, optimizer, parameterNames);
    say("info", `continuing after step ${firstStep}`);
  } else {
    say("info", "step-0 gate: saving the untouched student, loading it again and comparing it with its teacher");
    await checkStepZero({
      reference: prepared.reference,
      student: policy,
      writeStudent: (folder) => writePolicy(folder, 0),
      observation: await gateObservation(datasetOptions, dataset.numFrames, config),
      scratchFolder: join(config.outputDir, ".step-0-gate"),
      seed: deriveSeed(seed, "gate"),
    });
    say("info", "step-0 gate: passed");
  }
  await dataset.close();

  const batches = await openBatches(
    {
      dataset: { ...datasetOptions, chunkSize: policy.config.chunkSize },
      preprocessor: withRenameMap(policy.processors.preprocessor, config.renameMap),
      tokenizerFolder: policy.tokenizerFolder,
      batchSize: config.batchSize,
      seed: deriveSeed(seed, "order"),
    },
    config.numWorkers,
    config.steps,
  );
  const events = trainingLoop({
    objective: prepared.objective,
    parameters: [...parameters.values()],
    optimizer,
    schedule,
    maxGradNorm: config.optimizer.gradClipNorm,
    batches,
    toDevice: ({ arrays }) => ({ input: toModelInput(arrays, policy.config, policy.device), arrays }),
    device: policy.device,
    seed,
    firstStep,
    numSteps: config.steps,
    isCheckpointDue: (step) => config.saveCheckpoint && (step % config.saveFreq === 0 || step === config.steps),
    writeCheckpoint: (step) =>
      writeCheckpoint(config.outputDir, step, config.steps, {
        writePolicy: (folder) => writePolicy(folder, step),
        writeState: async (folder) => {
          const { optimizer: optimizerSettings, scheduler } = config;
          const learningRate = schedule(step);
          await writeTrainingState(folder, {
            step,
            optimizer,
            settings: optimizerSettings,
            scheduler,
            learningRate,
            seed,
            parameterNames,
          });
          await writeRunConfig(folder, trainConfigToJson({ ...config, seed }));
        },
      }),
    signal: options.signal,
  });
  return {
    config,
    policy,
    firstStep,
    numFrames: dataset.numFrames,
    numEpisodes: dataset.numEpisodes,
    numParameters: policy.model.numParameters,
    numTrainable: [...parameters.values()].reduce((n, parameter) => n + parameter.numElements, 0),
    events,
    close: () => closeRun(batches, optimizer, prepared),
  };
}

async function findDataset({ dataset }: TrainConfig): Promise<string> {
  if (dataset.root !== undefined) return dataset.root;
  return resolveFolder({ nameOrPath: dataset.repoId!, kind: "dataset", revision: dataset.revision });
}

/** Parameters that the run trains, by our names, switched on for gradients; all others are switched off. */
function trainableParameters({ policy, trainable }: PreparedPolicy): Map<string, Tensor> {
  const chosen = new Map<string, Tensor>();
  for (const [name, parameter] of policy.model.namedParameters()) {
    parameter.requiresGrad = isTrainable(name, trainable);
    if (parameter.requiresGrad) chosen.set(name, parameter);
  }
  return chosen;
}

/** Two frames of the dataset, far apart, under the policy's names. */
async function gateObservation(
  options: LeRobotDatasetOptions,
  numFrames: number,
  { renameMap }: TrainConfig,
): Promise<ProcessorBatch> {
  await using dataset = await LeRobotDataset.open(options);
  const { arrays, tasks } = collate([await dataset.item(0), await dataset.item(Math.floor(numFrames / 2))]);
  const renamed = Object.entries(arrays).map(([name, array]) => [renameMap[name] ?? name, array]);
  return { arrays: Object.fromEntries(renamed), tasks };
}

/** @returns the steps that were done */
async function restore(target: ResumeTarget, optimizer: AdamW, parameterNames: readonly string[]): Promise<number> {
  const stateFolder = join(target.checkpointFolder, STATE_FOLDER);
  if (!existsSync(stateFolder)) {
    throw new CheckpointError(
      `--resume: ${target.checkpointFolder} holds no ${STATE_FOLDER}/. Expected a checkpoint with pretrained_model/ and training_state/`,
    );
  }
  const step = await readTrainingStep(stateFolder);
  const path = join(target.policyFolder, WEIGHTS_FILE);
  const saved = await mapSafetensors(path);
  const masters = new Map<string, Tensor>();
  for (const name of optimizer.moments().keys()) {
    const tensor = saved.get(toCheckpointName(name));
    if (tensor === undefined) throw new CheckpointError(`${path}: expected "${toCheckpointName(name)}", got none`);
    masters.set(name, tensor);
  }
  await restoreOptimizer(stateFolder, optimizer, masters, parameterNames);
  disposeAll(saved);
  return step;
}

async function closeRun(batches: Batches, optimizer: AdamW, { policy, reference }: PreparedPolicy): Promise<void> {
  await batches.close();
  optimizer.dispose();
  policy.dispose();
  if (reference !== policy) reference.dispose();
}

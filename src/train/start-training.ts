/** From a run's settings to its loop: dataset, policy, gate, optimizer, batches, checkpoints. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LeRobotDataset } from "../data/index.js";
import { AdamW, Ema } from "../optim/index.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { toCheckpointName } from "../smolvla/checkpoint-names.js";
import { toSmolVLAJson } from "../smolvla/config.js";
import { deriveSeed } from "../support/derive-seed.js";
import { CheckpointError } from "../support/errors.js";
import { beginRun } from "./begin-run.js";
import { STATE_FOLDER, writeCheckpoint } from "./checkpoint.js";
import { type CheckpointSources, checkpointContent } from "./checkpoint-content.js";
import type { TrainConfig } from "./config.js";
import { describePreset, type SettledTrainConfig, withTrainingPreset } from "./config-preset.js";
import type { ResumeTarget } from "./config-resume.js";
import { expectSameStatistics } from "./expect-statistics.js";
import { learningRates } from "./learning-rates.js";
import { type CheckpointPlan, type LoopOptions, trainingLoop } from "./loop.js";
import { openProbe } from "./open-probe.js";
import { disposeRunPolicy, openRunPolicy } from "./open-run-policy.js";
import { openRunBatches } from "./run-batches.js";
import { findRunData } from "./run-data.js";
import { type SupervisedEvent, supervisedLoop } from "./supervised-loop.js";
import { prepareSupervision } from "./supervision.js";
import { trainableParameters } from "./trainable-parameters.js";
import { restoreTrainingState } from "./training-state.js";

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
  readonly events: AsyncGenerator<SupervisedEvent, void, undefined>;
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
  const data = await findRunData(settings);
  const { source, training, heldOut } = data;
  await using dataset = await LeRobotDataset.open({ ...source, episodes: training });
  const prepared = await openRunPolicy(settings, dataset.metadata, seed, resume?.policyFolder, (message) =>
    say("warning", message),
  );
  atEnd(() => disposeRunPolicy(prepared));
  const { policy, teacher, objective, teacherRound } = prepared;
  const policyFields = JSON.parse(toSmolVLAJson(policy.config));
  const config = { ...withTrainingPreset(settings, policyFields, teacherRound), seed };
  if (config.usePolicyTrainingPreset && !config.resume) say("info", describePreset(config, teacherRound));

  const parameters = trainableParameters(policy, config);
  const optimizer = new AdamW(parameters, config.optimizer);
  atEnd(() => optimizer.dispose());
  const { decay } = config.ema;
  const ema = decay === undefined ? undefined : new Ema(parameters, { decay, masters: optimizer.masters() });
  if (ema) atEnd(() => ema.dispose());
  const schedule = learningRates(config);
  const sources = { config, prepared, optimizer, ema, schedule };
  const firstStep = resume ? await continueAfter(resume, sources, say) : 0;
  if (resume === undefined) await beginRun(sources, dataset, say);
  if (config.evalFreq > 0) {
    const { numObservations, numNoises } = config.heldOut;
    say(
      "info",
      `solving the flow of ${numObservations} observations with ${numNoises} noises each, to measure against (--eval_freq=0: none)`,
    );
  }
  const probe = config.evalFreq > 0 ? await openProbe(config, prepared, data) : undefined;
  if (probe) atEnd(() => probe.dispose());

  const { batches, toDevice } = await openRunBatches(config, data, policy, teacher !== undefined);
  atEnd(() => batches.close());
  const supervised = await prepareSupervision({
    sources,
    firstStep,
    stateFolder: resume && join(resume.checkpointFolder, STATE_FOLDER),
  });
  const { supervision, hooks } = supervised;
  // A watch that saw nothing of the run would be a wrong start for one that is switched on later.
  const isWatched = config.health !== "off";
  const watched = { ...sources, rateFactor: () => supervision.guard.learningRateFactor };
  const content = (step: number) =>
    checkpointContent(isWatched ? { ...watched, watch: () => supervision.watch } : watched, step);
  const checkpoints: CheckpointPlan | undefined = config.saveCheckpoint
    ? {
        isDue: (step) => step % config.saveFreq === 0 || step === config.steps,
        write: (step) => writeCheckpoint(config.outputDir, step, config.steps, content(step)),
      }
    : undefined;
  const options: LoopOptions = {
    objective,
    parameters: [...parameters.values()],
    optimizer,
    schedule,
    maxGradNorm: config.optimizer.gradClipNorm,
    batches,
    batchesPerStep: config.gradientAccumulation,
    toDevice,
    ...hooks,
    device: policy.device,
    seed,
    firstStep,
    numSteps: config.steps,
    evaluations: probe && {
      isDue: (step) => step % config.evalFreq === 0 || step === config.steps,
      measure: () => (ema ? ema.withAveraged(() => probe.measure()) : probe.measure()),
    },
    checkpoints,
    signal,
  };
  const { learningRateFactor } = supervision.guard;
  const events = isWatched
    ? supervisedLoop(options, supervision)
    : trainingLoop({ ...options, schedule: (step) => schedule(step) * learningRateFactor });
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

/** @returns the steps that were done */
async function continueAfter(
  { checkpointFolder, policyFolder }: ResumeTarget,
  { config, prepared, optimizer, ema }: CheckpointSources,
  say: Say,
): Promise<number> {
  const state = join(checkpointFolder, STATE_FOLDER);
  if (!existsSync(state)) {
    throw new CheckpointError(
      `--resume: ${checkpointFolder} holds no ${STATE_FOLDER}/. Expected a checkpoint with pretrained_model/ and training_state/`,
    );
  }
  await expectSameStatistics(policyFolder, prepared.policy);
  const folders = { policy: policyFolder, state };
  const { step, withoutMoments } = await restoreTrainingState(folders, optimizer, prepared.policy.model, ema);
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

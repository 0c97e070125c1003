import { formatBigNumber } from "../records/format-number.js";
import { formatLogLine, type MetricsTracker, metricNames, trackTraining } from "../records/metrics-tracker.js";
import type { Metrics } from "../records/run-event.js";
import { RunningMeans } from "../records/running-means.js";
import { torchVersion } from "../torch/index.js";
import type { TrainConfig } from "../train/config.js";
import { trainConfigToJson } from "../train/config-json.js";
import type { ResumeTarget } from "../train/config-resume.js";
import { agreementRows } from "../train/held-out.js";
import type { LoopEvent } from "../train/loop.js";
import { openRunFolder } from "../train/run-folder.js";
import { startTraining, type TrainingRun } from "../train/start-training.js";
import { createLogger, type Logger } from "./logger.js";
import { packageVersion } from "./package-version.js";
import { type Progress, startProgress } from "./progress.js";
import { type Evaluations, expectHubToken, pushRun } from "./push-run.js";
import { RunLog, withWandbRunId } from "./run-log.js";

export interface RunOptions {
  readonly warnings: readonly string[];
  readonly resume: ResumeTarget | undefined;
  readonly signal: AbortSignal;
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** Trains as the settings say, with log lines, a progress bar and records. @returns whether it was interrupted */
export async function runTraining(given: TrainConfig, options: RunOptions): Promise<boolean> {
  const settings = withWandbRunId(given);
  expectHubToken(settings);
  const folder = await openRunFolder(settings.outputDir, settings);
  try {
    const progress: { current?: Progress } = {};
    const writeLine = (line: string): void =>
      progress.current ? progress.current.writeLine(line) : void options.stream.write(`${line}\n`);
    const logger = createLogger({ writeLine });
    for (const warning of options.warnings) logger.warning(warning);
    const run = await startTraining(settings, {
      resume: options.resume,
      signal: options.signal,
      onMessage: (kind, message) => logger[kind](message),
    });
    try {
      if (settings.overwrite) await folder.clear();
      return await follow(run, logger, progress, options);
    } finally {
      progress.current?.stop();
      await run.close();
    }
  } finally {
    folder.release();
  }
}

async function follow(
  run: TrainingRun,
  logger: Logger,
  progress: { current?: Progress },
  options: RunOptions,
): Promise<boolean> {
  const { config } = run;
  announce(run, logger);
  const log = RunLog.open(config, logger);
  try {
    return await record(run, log, logger, progress, options);
  } finally {
    await log.close();
  }
}

async function record(
  run: TrainingRun,
  log: RunLog,
  logger: Logger,
  progress: { current?: Progress },
  { stream, warnings }: RunOptions,
): Promise<boolean> {
  const { config, firstStep } = run;
  log.record({
    event: "run-start",
    step: firstStep,
    config: trainConfigToJson(config) as Record<string, unknown>,
    versions: { reflow: packageVersion(), node: process.versions.node, torch: torchVersion() },
  });
  for (const message of warnings) log.record({ event: "warning", step: firstStep, message });
  const tracker = trackTraining({
    batchSize: config.batchSize * config.gradientAccumulation,
    numFrames: run.numFrames,
    numEpisodes: run.numEpisodes,
    initialStep: firstStep,
  });
  const figures = new RunningMeans();
  progress.current = startProgress({ total: config.steps, initialStep: firstStep, stream });
  let step = firstStep;
  let wasInterrupted = false;
  let evaluations: Evaluations = { first: undefined, last: undefined };
  try {
    for await (const event of run.events) {
      step = event.step;
      if (event.kind === "step") {
        takeStep(event, tracker, figures, progress.current);
        const isLogged = config.logFreq > 0 && (step % config.logFreq === 0 || step === config.steps);
        if (isLogged) logMetrics(tracker, figures, logger, log);
      } else if (event.kind === "evaluation") {
        evaluations = { first: evaluations.first ?? event.metrics, last: event.metrics };
        logger.info(formatAgreement(event.metrics, run));
        log.record({ event: "evaluation", step, metrics: metricNames("eval", event.metrics) });
      } else if (event.kind === "checkpoint") {
        log.record({ event: "checkpoint", step, path: event.path });
        logger.info(`Checkpoint policy after step ${step}`);
      } else {
        wasInterrupted = true;
        logger.warning(`interrupted after step ${step}. ${afterInterrupt(config)}`);
      }
    }
  } catch (error) {
    log.recordFailure(step, error);
    throw error;
  }
  log.record({ event: "end", step, reason: wasInterrupted ? "interrupted" : "completed" });
  if (!wasInterrupted) {
    if (config.policy.pushToHub) await pushRun(run, evaluations, logger);
    logger.info("End of training");
  }
  return wasInterrupted;
}

const afterInterrupt = ({ saveCheckpoint, outputDir }: TrainConfig): string =>
  saveCheckpoint
    ? `Continue with --resume=true --output_dir=${outputDir}`
    : "Nothing was saved, as save_checkpoint is false";

/** The lines with which LeRobot begins, and what is special about this run. */
function announce(
  { config, policy, numFrames, numEpisodes, numParameters, numTrainable }: TrainingRun,
  logger: Logger,
): void {
  logger.info(`Output dir: ${config.outputDir}`);
  logger.info(`cfg.steps=${config.steps} (${formatBigNumber(config.steps)})`);
  logger.info(`dataset.num_frames=${numFrames} (${formatBigNumber(numFrames)})`);
  logger.info(`dataset.num_episodes=${numEpisodes}`);
  logger.info(`num_learnable_params=${numTrainable} (${formatBigNumber(numTrainable)})`);
  logger.info(`num_total_params=${numParameters} (${formatBigNumber(numParameters)})`);
  const method = config.policy.useReflow
    ? `${config.reflow.stage === "distill" ? "distillation" : "reflow"} of ${config.policy.teacherModelPath} (${config.policy.reflowNumInferenceSteps} ${config.reflow.teacherSolver} steps, padded dims: ${config.reflow.paddedDims}, times: ${config.reflow.time.law})`
    : "flow matching on demonstrations";
  logger.info(`Start training: ${method}, on ${policy.device} in ${config.precision}`);
}

function takeStep(
  event: Extract<LoopEvent, { kind: "step" }>,
  tracker: MetricsTracker,
  figures: RunningMeans,
  progress: Progress,
): void {
  tracker.step();
  tracker.update("loss", event.loss);
  tracker.update("grad_norm", event.gradNorm);
  tracker.update("lr", event.learningRate);
  tracker.update("update_s", event.updateS);
  tracker.update("dataloading_s", event.dataS);
  for (const { name, value, weight } of event.figures) figures.add(name, value, weight);
  progress.update({ step: event.step, loss: event.loss, learningRate: event.learningRate });
}

function logMetrics(tracker: MetricsTracker, figures: RunningMeans, logger: Logger, log: RunLog): void {
  logger.info(formatLogLine(tracker));
  const metrics = metricNames("train", { ...tracker.values(), ...figures.take() });
  log.record({ event: "step", step: tracker.steps, metrics });
  tracker.resetAverages();
}

/** `agreement with the teacher on 2 held-out episodes, error / noise explained / spread: 1 step 19 % / -2.60 / 1.09, ...` */
function formatAgreement(metrics: Metrics, { teacher, numHeldOut }: TrainingRun): string {
  const show = (value: number | undefined): string =>
    value === undefined ? "-" : String(Number(value.toPrecision(3)));
  const atSteps = agreementRows(metrics).map(
    ({ numSteps, relativeError, noiseExplained, spreadRatio }) =>
      `${numSteps} ${numSteps === 1 ? "step" : "steps"} ${show(relativeError && 100 * relativeError)} % / ${show(noiseExplained)} / ${show(spreadRatio)}`,
  );
  const whom = teacher ? "the teacher" : "its own converged flow";
  const where = numHeldOut > 0 ? `${numHeldOut} held-out episodes` : "episodes that it trains on";
  return `agreement with ${whom} on ${where}, error / noise explained / spread: ${atSteps.join(", ")}`;
}

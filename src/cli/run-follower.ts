/** What the command line shows and records of a run while it happens. */
import { formatLogLine, type MetricsTracker, metricNames, trackTraining } from "../records/metrics-tracker.js";
import type { Metrics } from "../records/run-event.js";
import { RunningMeans } from "../records/running-means.js";
import { torchVersion } from "../torch/index.js";
import type { TrainConfig } from "../train/config.js";
import { trainConfigToJson } from "../train/config-json.js";
import { describeFinding } from "../train/health/index.js";
import { agreementRows } from "../train/held-out.js";
import type { LoopEvent } from "../train/loop.js";
import type { TrainingRun } from "../train/start-training.js";
import type { SupervisedEvent } from "../train/supervised-loop.js";
import type { Logger } from "./logger.js";
import { packageVersion } from "./package-version.js";
import { type Progress, startProgress } from "./progress.js";
import type { RunLog } from "./run-log.js";

export interface FollowOptions {
  readonly run: TrainingRun;
  readonly log: RunLog;
  readonly logger: Logger;
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** told of every new progress display */
  readonly onProgress: (progress: Progress) => void;
}

/** Follows a run's events: log lines, a progress display, records. */
export class RunFollower {
  readonly #options: FollowOptions;
  readonly #figures = new RunningMeans();
  #tracker!: MetricsTracker;
  #progress: Progress | undefined;
  /** from which what follows goes on */
  #firstStep = 0;
  /** steps done */
  step: number;

  constructor(options: FollowOptions) {
    this.#options = options;
    this.step = options.run.firstStep;
    this.#beginAt(this.step);
  }

  /** Starts the records, averages and progress of what follows a step; what was recorded after it is superseded. */
  #beginAt(step: number): void {
    const { run, log, stream, onProgress } = this.#options;
    const { config, numFrames, numEpisodes } = run;
    this.#firstStep = step;
    log.record({
      event: "run-start",
      step,
      config: trainConfigToJson(config) as Record<string, unknown>,
      versions: { reflow: packageVersion(), node: process.versions.node, torch: torchVersion() },
    });
    const batchSize = config.batchSize * config.gradientAccumulation;
    this.#tracker = trackTraining({ batchSize, numFrames, numEpisodes, initialStep: step });
    this.#figures.take();
    this.#progress?.stop();
    this.#progress = startProgress({ total: config.steps, initialStep: step, cycle: cycleOf(config), stream });
    onProgress(this.#progress);
  }

  /** Shows and records an event. */
  take(event: SupervisedEvent): void {
    const { log, logger, run } = this.#options;
    const { step } = event;
    this.step = step;
    switch (event.kind) {
      case "step":
        this.#takeStep(event);
        break;
      case "evaluation":
        logger.info(formatAgreement(event.metrics, run));
        if (step === this.#firstStep) this.#progress?.restart(step);
        log.record({ event: "evaluation", step, metrics: metricNames("eval", event.metrics) });
        break;
      case "finding":
        this.warn(describeFinding(event.finding));
        break;
      case "back-off":
        this.#beginAt(step);
        this.warn(event.message);
        break;
      case "checkpoint":
        log.record({ event: "checkpoint", step, path: event.path });
        logger.info(`Checkpoint policy after step ${step}`);
        break;
      case "interrupted":
        logger.warning(`interrupted after step ${step}. ${afterInterrupt(run.config)}`);
    }
  }

  warn(message: string): void {
    this.#options.logger.warning(message);
    this.#options.log.record({ event: "warning", step: this.step, message });
  }

  #takeStep(event: Extract<LoopEvent, { kind: "step" }>): void {
    const tracker = this.#tracker;
    const { config } = this.#options.run;
    tracker.step();
    tracker.update("loss", event.loss);
    tracker.update("grad_norm", event.gradNorm);
    tracker.update("lr", event.learningRate);
    tracker.update("update_s", event.updateS);
    tracker.update("dataloading_s", event.dataS);
    for (const { name, value, weight } of event.figures) this.#figures.add(name, value, weight);
    this.#progress?.update({ step: event.step, loss: event.loss, learningRate: event.learningRate });
    const isLast = event.step === config.steps;
    if (config.logFreq > 0 && (event.step % config.logFreq === 0 || isLast)) this.#logMetrics();
  }

  #logMetrics(): void {
    const tracker = this.#tracker;
    this.#options.logger.info(formatLogLine(tracker));
    const metrics: Metrics = metricNames("train", { ...tracker.values(), ...this.#figures.take() });
    this.#options.log.record({ event: "step", step: tracker.steps, metrics });
    tracker.resetAverages();
  }
}

/** Steps of one block of buffered pairs, which are made in its first pass and used again in the others. */
const cycleOf = ({ policy, reflow }: TrainConfig): number =>
  policy.useReflow && reflow.pairUses > 1 ? reflow.bufferBatches * reflow.pairUses : 1;

const afterInterrupt = ({ saveCheckpoint, outputDir }: TrainConfig): string =>
  saveCheckpoint
    ? `Continue with --resume=true --output_dir=${outputDir}`
    : "Nothing was saved, as save_checkpoint is false";

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

import { formatBigNumber, formatExponent, formatFixed } from "./format-number.js";

/** How a metric is called on a log line, and how its number is printed there. */
export interface Meter {
  readonly label: string;
  readonly format: (value: number) => string;
}

const thousandths = (value: number): string => formatFixed(value, 3);

/** What LeRobot measures while training, in the order of its log line; times are in seconds. */
export const TRAIN_METERS = {
  loss: { label: "loss", format: thousandths },
  grad_norm: { label: "grdn", format: thousandths },
  lr: { label: "lr", format: (value) => formatExponent(value, 1) },
  update_s: { label: "updt_s", format: thousandths },
  dataloading_s: { label: "data_s", format: thousandths },
} as const satisfies Readonly<Record<string, Meter>>;

export type TrainMetric = keyof typeof TRAIN_METERS;

/** What one training run reads; the numbers of samples, episodes and epochs seen follow from it. */
export interface TrackedRun {
  readonly batchSize: number;
  /** in the whole dataset */
  readonly numFrames: number;
  readonly numEpisodes: number;
  /** steps already done, when a run continues */
  readonly initialStep?: number;
}

/**
 * Averages of metrics since they were last reset, and how much data a run has seen.
 *
 * A sample is one dataset frame with its chunk of actions. Episodes and epochs are fractions: samples divided by the mean
 * length of an episode, and by the length of the dataset.
 *
 * Reference: `MetricsTracker` of LeRobot 0.4.4, `utils/logging_utils.py`.
 */
export class MetricsTracker<Metric extends string = TrainMetric> {
  readonly meters: Readonly<Record<Metric, Meter>>;
  readonly #run: TrackedRun;
  readonly #sums: Map<Metric, { sum: number; weight: number }>;
  #steps: number;

  constructor(run: TrackedRun, meters: Readonly<Record<Metric, Meter>>) {
    this.meters = meters;
    this.#run = run;
    this.#steps = run.initialStep ?? 0;
    this.#sums = new Map(this.metrics.map((metric) => [metric, { sum: 0, weight: 0 }]));
  }

  /** The metrics' names in the order of the log line. */
  get metrics(): readonly Metric[] {
    return Object.keys(this.meters) as Metric[];
  }

  get steps(): number {
    return this.#steps;
  }

  get samples(): number {
    return this.#steps * this.#run.batchSize;
  }

  get episodes(): number {
    return this.samples / (this.#run.numFrames / this.#run.numEpisodes);
  }

  get epochs(): number {
    return this.samples / this.#run.numFrames;
  }

  /** Takes a value into a metric's average; `weight` values count as that many. */
  update(metric: Metric, value: number, weight = 1): void {
    const total = this.#sums.get(metric)!;
    total.sum += value * weight;
    total.weight += weight;
  }

  /** Counts one finished training step. */
  step(): void {
    this.#steps += 1;
  }

  /** A metric's mean since the last reset, 0 if it has had no value. */
  average(metric: Metric): number {
    const { sum, weight } = this.#sums.get(metric)!;
    return weight === 0 ? 0 : sum / weight;
  }

  /** All counters and averages by name, as LeRobot hands them to its loggers. */
  values(): Readonly<Record<Metric | "steps" | "samples" | "episodes" | "epochs", number>> {
    const { steps, samples, episodes, epochs } = this;
    const averages = Object.fromEntries(this.metrics.map((metric) => [metric, this.average(metric)]));
    return { steps, samples, episodes, epochs, ...(averages as Record<Metric, number>) };
  }

  /** Starts new averages; the counters go on. */
  resetAverages(): void {
    for (const metric of this.metrics) this.#sums.set(metric, { sum: 0, weight: 0 });
  }
}

/** A tracker of what LeRobot measures while training. */
export const trackTraining = (run: TrackedRun): MetricsTracker => new MetricsTracker(run, TRAIN_METERS);

/** `step:200 smpl:2K ep:4 epch:0.03 loss:0.123 grdn:0.456 lr:1.0e-05 updt_s:0.123 data_s:0.004`, as LeRobot prints it. */
export function formatLogLine<Metric extends string>(tracker: MetricsTracker<Metric>): string {
  return [
    `step:${formatBigNumber(tracker.steps)}`,
    `smpl:${formatBigNumber(tracker.samples)}`,
    `ep:${formatBigNumber(tracker.episodes)}`,
    `epch:${formatFixed(tracker.epochs, 2)}`,
    ...tracker.metrics.map((metric) => {
      const { label, format } = tracker.meters[metric];
      return `${label}:${format(tracker.average(metric))}`;
    }),
  ].join(" ");
}

/**
 * Metrics under the names by which LeRobot's runs are known in a dashboard: `train/loss`, `train/grad_norm`, `train/lr`,
 * `train/update_s`, `train/dataloading_s`, `train/steps`, `train/samples`, `train/episodes`, `train/epochs`,
 * `eval/pc_success`, ...
 */
export const metricNames = (
  mode: "train" | "eval",
  values: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${mode}/${name}`, value]));

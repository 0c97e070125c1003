import type { ArmResult } from "../../train/arms/arm-result.js";

export type Metrics = Readonly<Record<string, number>>;

/** Numbers of Euler steps that are shown; all that are measured are in the JSON. */
const SHOWN_STEPS = [1, 2, 10] as const;

/** Three digits; `-` for what was not measured. */
export const number = (value: number | undefined): string =>
  value === undefined ? "-" : String(Number(value.toPrecision(3)));

const percent = (value: number | undefined): string => (value === undefined ? "-" : `${number(100 * value)} %`);

/** Columns of a table about how students agree with what they are measured against, on equal noise. */
export const AGREEMENT_HEADER: readonly string[] = [
  ...SHOWN_STEPS.map((n) => `error@${n}`),
  ...SHOWN_STEPS.map((n) => `explained@${n}`),
  "spread@1",
];

export const AGREEMENT_LEGEND =
  "At N Euler steps, on equal noise: error@N, the relative error; explained@N, how much of what the noise decides is right " +
  "(1 all, 0 as good as ignoring the noise, below 0 worse); spread@N, the spread of the actions over that of the reference";

export const agreementCells = (metrics: Metrics | undefined): readonly string[] => [
  ...SHOWN_STEPS.map((n) => percent(metrics?.[`relative_error_${n}`])),
  ...SHOWN_STEPS.map((n) => number(metrics?.[`noise_explained_${n}`])),
  number(metrics?.spread_ratio_1),
];

/** The measurement after the last step that an arm made; undefined for one that was stopped. */
export const lastMetrics = ({ measurements, diverged }: ArmResult): Metrics | undefined =>
  diverged === undefined ? measurements.filter(({ step }) => step > 0).at(-1)?.metrics : undefined;

export const metricsAt = ({ measurements }: ArmResult, step: number): Metrics | undefined =>
  measurements.find((measurement) => measurement.step === step)?.metrics;

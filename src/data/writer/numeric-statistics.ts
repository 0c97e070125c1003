import type { Statistic } from "../dataset-stats.js";
import { histogramQuantiles, QUANTILES, type Rounding } from "./histogram-quantiles.js";

/** The statistics of one feature, by name: `min`, `max`, `mean`, `std`, `count` and the quantiles. */
export type FeatureStatistics = ReadonlyMap<string, Statistic>;

/** The statistics of one entry of a vector over an episode, but for the count. */
function entryStatistics(values: Float64Array, round: Rounding): Readonly<Record<string, number>> {
  let [sum, sumOfSquares] = [0, 0];
  for (const value of values) {
    sum = round(sum + value);
    sumOfSquares = round(sumOfSquares + round(value * value));
  }
  const mean = round(sum / values.length);
  const meanOfSquares = round(sumOfSquares / values.length);
  const sorted = values.slice().sort();
  const common = { min: sorted[0]!, max: sorted.at(-1)!, mean };
  if (values.length < 2) {
    return { ...common, std: 0, ...Object.fromEntries(Object.keys(QUANTILES).map((name) => [name, mean])) };
  }
  const variance = round(meanOfSquares - round(mean * mean));
  const ones = new Uint8Array(values.length).fill(1);
  return { ...common, std: round(Math.sqrt(Math.max(0, variance))), ...histogramQuantiles(sorted, ones, round) };
}

/**
 * The statistics of a vector feature over the frames of an episode, as stock LeRobot computes them:
 *
 * `std = sqrt(mean(x^2) - mean(x)^2)`, sums in the feature's own precision; with a single frame std is 0 and every
 * quantile the mean.
 *
 * @param rows one entry per frame, at least one, each `[width]`
 * @param round `Math.fround` for float32 features
 *
 * Reference: LeRobot 0.4.4, `compute_episode_stats`.
 */
export function numericStatistics(
  rows: readonly ArrayLike<number | bigint>[],
  width: number,
  round: Rounding,
): FeatureStatistics {
  const entries = Array.from({ length: width }, (_, i) =>
    entryStatistics(
      Float64Array.from(rows, (row) => Number(row[i])),
      round,
    ),
  );
  return new Map([
    ...["min", "max", "mean", "std"].map((name) => statistic(name, entries)),
    ["count", { shape: [1], values: [rows.length] }] as const,
    ...Object.keys(QUANTILES).map((name) => statistic(name, entries)),
  ]);
}

const statistic = (
  name: string,
  entries: readonly Readonly<Record<string, number>>[],
): readonly [string, Statistic] => [name, { shape: [entries.length], values: entries.map((entry) => entry[name]!) }];

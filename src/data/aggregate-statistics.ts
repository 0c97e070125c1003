import { DatasetError } from "../support/errors.js";
import type { Statistic } from "./dataset-stats.js";

type FeatureStatistics = ReadonlyMap<string, Statistic>;

/** One number of the result from the same number of each part; `counts` are the parts' numbers of samples. */
type Combine = (values: readonly number[], counts: readonly number[]) => number;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const weightedMean: Combine = (values, counts) => sum(values.map((v, i) => v * counts[i]!)) / sum(counts);
const COMBINE: Readonly<Record<string, Combine>> = {
  min: (values) => values.reduce((a, b) => Math.min(a, b)),
  max: (values) => values.reduce((a, b) => Math.max(a, b)),
  mean: weightedMean,
  count: sum,
};

/**
 * Joins the statistics of the parts of a dataset: minimum of minima, maximum of maxima, means and quantiles weighted by
 * the number of samples, and
 *
 * `std = sqrt(sum(count * (std_i^2 + (mean_i - mean)^2)) / sum(count))`
 *
 * in double precision, as stock LeRobot joins the statistics of episodes.
 *
 * @param where names the file, for errors
 * @throws DatasetError if a feature's parts differ in shape or lack a mean, a standard deviation or a count
 */
export function aggregateStatistics(
  parts: readonly ReadonlyMap<string, FeatureStatistics>[],
  where: string,
): Map<string, Map<string, Statistic>> {
  const features = new Set(parts.flatMap((part) => [...part.keys()]));
  return new Map(
    [...features].map((feature) => {
      const ofFeature = parts.flatMap((part) => part.get(feature) ?? []);
      return [feature, aggregateFeature(ofFeature, `${where} at ${feature}`)];
    }),
  );
}

function aggregateFeature(parts: readonly FeatureStatistics[], where: string): Map<string, Statistic> {
  const first = parts[0]!;
  const column = (name: string): readonly Statistic[] =>
    parts.map((part) => {
      const statistic = part.get(name);
      if (statistic !== undefined && String(statistic.shape) === String(first.get(name)?.shape)) return statistic;
      throw new DatasetError(
        `${where}: expected "${name}" with the same shape in every episode, got it missing or another`,
      );
    });
  const counts = column("count").map(({ values }) => values[0] ?? 0);
  const combine = (name: string, combineValues: Combine): Statistic => {
    const statistics = column(name);
    const { shape, values } = statistics[0]!;
    return {
      shape,
      values: values.map((_, i) =>
        combineValues(
          statistics.map((s) => s.values[i]!),
          counts,
        ),
      ),
    };
  };
  const mean = combine("mean", weightedMean);
  const [means, stds] = [column("mean"), column("std")];
  const spread = (i: number): number =>
    Math.sqrt(
      weightedMean(
        stds.map(({ values }, p) => values[i]! ** 2 + (means[p]!.values[i]! - mean.values[i]!) ** 2),
        counts,
      ),
    );
  const result = new Map<string, Statistic>();
  for (const [name, { shape, values }] of first) {
    if (name === "std") result.set(name, { shape, values: values.map((_, i) => spread(i)) });
    else result.set(name, combine(name, COMBINE[name] ?? weightedMean));
  }
  return result;
}

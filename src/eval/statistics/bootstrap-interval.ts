import { ConfigError } from "../../support/errors.js";
import { DEFAULT_LEVEL, expectLevel, type Interval } from "./interval.js";
import { quantile } from "./quantile.js";
import { seededNumbers } from "./seeded-numbers.js";

export interface BootstrapOptions {
  readonly seed: number;
  /** 1000 if left out */
  readonly numResamples?: number;
  /** 0.95 if left out */
  readonly level?: number;
}

/**
 * The confidence interval of any statistic, from drawing observations anew with replacement: percentiles of the statistic over
 * the resamples.
 *
 * What is drawn must be what is independent: observations, or whole episodes, not the noises of one observation, which share
 * its image, nor neighbouring frames. With fewer than about 20 observations the interval is too narrow.
 *
 * @param observations whatever the statistic needs of each: `agreementSums`, the paths of one observation, a paired difference
 * @param statistic undefined where it has no denominator; resamples without a value are left out
 * @returns undefined if the statistic of all observations is, or that of most resamples
 * @throws ConfigError for no observations, a level outside of 0 to 1, and fewer than 100 resamples
 *
 * Reference: Efron 1979, Annals of Statistics 7; percentile interval.
 */
export function bootstrapInterval<T>(
  observations: readonly T[],
  statistic: (observations: readonly T[]) => number | undefined,
  { seed, numResamples = 1000, level = DEFAULT_LEVEL }: BootstrapOptions,
): Interval | undefined {
  const where = "eval.bootstrapInterval";
  expectLevel(where, level);
  if (observations.length === 0) throw new ConfigError(where, "expected at least one observation, got none");
  if (!Number.isSafeInteger(numResamples) || numResamples < 100) {
    throw new ConfigError(where, `expected numResamples to be a whole number of at least 100, got ${numResamples}`);
  }
  const random = seededNumbers(where, seed);
  const value = statistic(observations);
  if (value === undefined) return undefined;
  const resampled: number[] = [];
  for (let i = 0; i < numResamples; i++) {
    const drawn = statistic(observations.map(() => observations[random.below(observations.length)]!));
    if (drawn !== undefined) resampled.push(drawn);
  }
  if (resampled.length < numResamples / 2) return undefined;
  return { value, low: quantile(resampled, (1 - level) / 2), high: quantile(resampled, (1 + level) / 2) };
}

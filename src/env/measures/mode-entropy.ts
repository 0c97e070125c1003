import { ConfigError } from "../../support/errors.js";
import { sumOfCounts } from "./sum-of-counts.js";

/** Entropies as shares of the largest possible one, `ln K` of K modes. Undefined, not 0, without any episode. */
export interface ModeEntropy {
  /** n: the number of episodes that were counted */
  readonly numCounted: number;
  /** `-sum p ln p / ln K` with `p = count / n`: 1 for equal counts, 0 if all went one way. Too low by chance for small n */
  readonly entropy: number | undefined;
  /**
   * `entropy + (modes seen - 1) / (2 n ln K)`, which takes away most of that bias; may be a little above 1. Modes that exist
   * but were not seen make it too low still.
   */
  readonly corrected: number | undefined;
  /** what `entropy` is on average for n episodes whose modes are all equally likely: nothing better is to be expected */
  readonly ceiling: number | undefined;
}

/**
 * Variety of the ways of successful episodes.
 *
 * @param counts one per mode, seen or not
 * @throws ShapeError unless counts are whole numbers of at least 0, for two modes or more
 *
 * Reference: the entropy of D3IL (arXiv:2402.14606), which has 0 where it is undefined; Miller 1955 for the correction.
 */
export function modeEntropy(counts: readonly number[]): ModeEntropy {
  const numCounted = sumOfCounts("env.modeEntropy", counts);
  if (numCounted === 0) return { numCounted, entropy: undefined, corrected: undefined, ceiling: undefined };
  const largest = Math.log(counts.length);
  const seen = counts.filter((count) => count > 0);
  const nats = seen.reduce((sum, count) => sum + (count / numCounted) * Math.log(numCounted / count), 0);
  return {
    numCounted,
    entropy: nats / largest,
    corrected: (nats + (seen.length - 1) / (2 * numCounted)) / largest,
    ceiling: entropyCeiling(numCounted, counts.length),
  };
}

/**
 * The mean of `entropy` for n independent episodes of K equally likely modes:
 *
 * `-K sum over k of Binomial(k; n, 1/K) (k/n) ln(k/n) / ln K`, about `1 - (K - 1) / (2 n ln K)` for large n.
 *
 * @throws ConfigError unless n is a whole number of at least 1 and K of at least 2
 */
export function entropyCeiling(numEpisodes: number, numModes: number): number {
  const [n, K] = [numEpisodes, numModes];
  if (!Number.isSafeInteger(n) || n < 1 || !Number.isSafeInteger(K) || K < 2) {
    throw new ConfigError(
      "env.entropyCeiling",
      `expected a whole number of at least 1 episode and of at least 2 modes, got ${n} and ${K}`,
    );
  }
  let logProbability = n * Math.log1p(-1 / K);
  let nats = 0;
  for (let k = 1; k <= n; k++) {
    // Binomial(k) / Binomial(k - 1) = (n - k + 1) / k / (K - 1), in logarithms because the first may underflow.
    logProbability += Math.log((n - k + 1) / k / (K - 1));
    nats += K * Math.exp(logProbability) * (k / n) * Math.log(n / k);
  }
  return nats / Math.log(K);
}

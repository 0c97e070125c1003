import { ShapeError } from "../../support/errors.js";
import { sumOfCounts } from "./sum-of-counts.js";

export interface ModeDistance {
  /**
   * `sum |p - q| / 2` of the two shares of each mode: the share of episodes that would have to go another way to make both
   * alike. 0 for equal shares, 1 for no mode in common.
   */
  readonly totalVariation: number;
  /**
   * what it is on average for two such numbers of episodes that are drawn from the same modes, those of both together:
   * about `sum sqrt(2 p (1 - p) (1/n + 1/m) / pi) / 2`. A distance of this size shows no difference.
   */
  readonly byChance: number;
}

/**
 * How far two mode histograms are from each other; unlike a comparison of entropies it sees modes that were exchanged.
 *
 * @param counts one per mode
 * @param otherCounts of the same modes
 * @returns undefined if either histogram is empty
 * @throws ShapeError unless both hold as many whole numbers of at least 0
 */
export function modeDistance(counts: readonly number[], otherCounts: readonly number[]): ModeDistance | undefined {
  const [n, m] = [sumOfCounts("env.modeDistance", counts), sumOfCounts("env.modeDistance", otherCounts)];
  if (counts.length !== otherCounts.length) {
    throw new ShapeError(
      `env.modeDistance: expected counts of the same modes, got ${counts.length} and ${otherCounts.length}`,
    );
  }
  if (n === 0 || m === 0) return undefined;
  let [totalVariation, byChance] = [0, 0];
  for (const [i, count] of counts.entries()) {
    const other = otherCounts[i]!;
    const pooled = (count + other) / (n + m);
    totalVariation += Math.abs(count / n - other / m) / 2;
    byChance += Math.sqrt((2 * pooled * (1 - pooled) * (1 / n + 1 / m)) / Math.PI) / 2;
  }
  return { totalVariation, byChance };
}

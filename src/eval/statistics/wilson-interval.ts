import { normalQuantile } from "../../flow/time-laws/normal-quantile.js";
import { ConfigError } from "../../support/errors.js";
import { DEFAULT_LEVEL, expectLevel, type Interval } from "./interval.js";

/**
 * The confidence interval of a success rate, `value` being the plain rate.
 *
 * `(p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`
 *
 * It stays within 0 and 1 and has a width at 0 and at n successes, where the textbook's `p -+ z sqrt(p (1 - p) / n)` has none.
 * Two policies whose intervals overlap may differ all the same: use `mcnemarTest` on paired episodes.
 *
 * @returns undefined for no trials
 * @throws ConfigError unless both are whole numbers, successes being at most trials
 *
 * Reference: Wilson 1927, Journal of the American Statistical Association 22.
 */
export function wilsonInterval(numSuccesses: number, numTrials: number, level = DEFAULT_LEVEL): Interval | undefined {
  const where = "eval.wilsonInterval";
  expectLevel(where, level);
  if (!Number.isSafeInteger(numTrials) || numTrials < 0) {
    throw new ConfigError(where, `expected numTrials to be a whole number of at least 0, got ${numTrials}`);
  }
  if (!Number.isSafeInteger(numSuccesses) || numSuccesses < 0 || numSuccesses > numTrials) {
    throw new ConfigError(
      where,
      `expected numSuccesses to be a whole number from 0 to ${numTrials}, got ${numSuccesses}`,
    );
  }
  if (numTrials === 0) return undefined;
  const value = numSuccesses / numTrials;
  const z2 = normalQuantile((1 + level) / 2) ** 2;
  const centre = value + z2 / (2 * numTrials);
  const reach = Math.sqrt(z2 * ((value * (1 - value)) / numTrials + z2 / (4 * numTrials ** 2)));
  const [low, high] = [-1, 1].map((side) => (centre + side * reach) / (1 + z2 / numTrials)) as [number, number];
  return { value, low: numSuccesses === 0 ? 0 : low, high: numSuccesses === numTrials ? 1 : high };
}

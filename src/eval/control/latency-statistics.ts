import { ConfigError } from "../../support/errors.js";
import { quantile } from "../statistics/quantile.js";

export interface LatencyStatistics {
  readonly medianMs: number;
  /** nineteen calls of twenty are faster; with fewer than 200 calls little more than the slowest */
  readonly p95Ms: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** those that were counted */
  readonly numCalls: number;
}

/**
 * Median and tail of measured durations. Not the mean: one pause of the machine moves it.
 *
 * @param durationsMs in the order of the calls
 * @param numWarmups how many of the first calls do not count: they compile, allocate and fill caches
 * @throws ConfigError if nothing is left to count, and for durations that are below 0 or no numbers
 */
export function latencyStatistics(durationsMs: readonly number[], numWarmups = 0): LatencyStatistics {
  const where = "eval.latencyStatistics";
  if (!Number.isSafeInteger(numWarmups) || numWarmups < 0 || numWarmups >= durationsMs.length) {
    throw new ConfigError(
      where,
      `expected numWarmups to be a whole number below the ${durationsMs.length} calls, got ${numWarmups}`,
    );
  }
  const wrong = durationsMs.find((duration) => !(duration >= 0 && Number.isFinite(duration)));
  if (wrong !== undefined) throw new ConfigError(where, `expected durations of at least 0, got ${wrong}`);
  const counted = durationsMs.slice(numWarmups);
  return {
    medianMs: quantile(counted, 0.5),
    p95Ms: quantile(counted, 0.95),
    minMs: quantile(counted, 0),
    maxMs: quantile(counted, 1),
    numCalls: counted.length,
  };
}

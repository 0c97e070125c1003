import { ConfigError, ShapeError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import { chunksOf, expectComparable } from "../samples/expect-samples.js";
import { assign } from "./assign.js";
import { distanceBetween } from "./distance-between.js";

/** At this many samples an observation takes some 17 million steps. */
const MAX_SAMPLES = 256;

/**
 * 2-Wasserstein distance of the samples as they are: each is given a reference sample of its own so that the mean squared
 * distance is least; the root of that mean over pairs, entries and observations.
 *
 * In the units of one entry of a chunk, as `slicedWasserstein`, of which it is the exact counterpart: moving everything by a
 * vector v gives exactly `|v| / sqrt(A M)`. Finite samples of one distribution are apart, and in many dimensions far (about
 * `K^(-1 / d)` for d of them): compare with a zero level (`splitDistance`).
 *
 * @param samples float32 `[O, K, A, M]`, K at most 256
 * @param reference of the same shape
 * @throws ShapeError for other arrays, ConfigError for entries that are no numbers or more samples
 */
export function exactWasserstein(samples: HostArray, reference: HostArray): number {
  const where = "eval.exactWasserstein";
  const [x, y] = expectComparable(where, samples, reference);
  const n = x.numNoises;
  if (n !== y.numNoises) {
    throw new ShapeError(`${where}: expected as many samples as reference samples, got ${n}, ${y.numNoises}`);
  }
  if (n > MAX_SAMPLES) {
    throw new ConfigError(where, `expected at most ${MAX_SAMPLES} samples, got ${n}. Use slicedWasserstein for more`);
  }
  const cost = new Float64Array(n * n);
  let sum = 0;
  for (let o = 0; o < x.numObservations; o++) {
    const [ofX, ofY] = [chunksOf(x, o), chunksOf(y, o)];
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) cost[i * n + j] = distanceBetween(ofX[i]!, ofY[j]!) ** 2;
    for (const [i, j] of assign(cost, n).entries()) sum += cost[i * n + j]!;
  }
  return Math.sqrt(sum / (x.numObservations * n * x.numEntries));
}

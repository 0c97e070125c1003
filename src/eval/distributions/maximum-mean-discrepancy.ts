import type { HostArray } from "../../support/host-array.js";
import { chunksOf, expectComparable } from "../samples/expect-samples.js";
import { quantile } from "../statistics/quantile.js";
import { distanceBetween } from "./distance-between.js";

/** Widths of the kernels in median distances. */
const WIDTHS = [0.5, 1, 2];

/**
 * Squared maximum mean discrepancy `E k(X, X') + E k(Y, Y') - 2 E k(X, Y)` of samples X and reference samples Y of one
 * observation, averaged over observations. The kernel is the mean of three Gaussians `exp(-d^2 / (2 width^2))`, as wide as 1/2, 1
 * and 2 times the median distance between reference samples of that observation. 0 only for equal distributions, at most 2, and
 * the same in any unit.
 *
 * Unbiased (a sample is not compared with itself), so equal distributions give 0 on average and at times a little less. That
 * holds **only for samples and reference of independent noise**; use `splitDistance` for others.
 *
 * @param samples float32 `[O, K, A, M]`, K at least 2
 * @param reference float32 `[O, K', A, M]`, K' at least 2
 * @returns undefined if more than half of the distances between reference samples of an observation are 0: nothing says how wide
 * a kernel should be
 * @throws ShapeError for other arrays, ConfigError for entries that are no numbers
 *
 * Reference: Gretton et al. 2012, Journal of Machine Learning Research 13.
 */
export function maximumMeanDiscrepancy(samples: HostArray, reference: HostArray): number | undefined {
  const [x, y] = expectComparable("eval.maximumMeanDiscrepancy", samples, reference, 2);
  let sum = 0;
  for (let o = 0; o < x.numObservations; o++) {
    const [ofX, ofY] = [chunksOf(x, o), chunksOf(y, o)];
    const within = distancesWithin(ofY);
    const median = quantile(within, 0.5);
    if (median === 0) return undefined;
    sum +=
      meanKernel(distancesWithin(ofX), median) +
      meanKernel(within, median) -
      2 * meanKernel(distancesAcross(ofX, ofY), median);
  }
  return sum / x.numObservations;
}

function meanKernel(distances: Float64Array, median: number): number {
  let sum = 0;
  for (const width of WIDTHS) for (const d of distances) sum += Math.exp(-((d / (width * median)) ** 2) / 2);
  return sum / (WIDTHS.length * distances.length);
}

function distancesWithin(chunks: readonly Float32Array[]): Float64Array {
  const distances = new Float64Array((chunks.length * (chunks.length - 1)) / 2);
  let at = 0;
  for (let i = 0; i < chunks.length; i++)
    for (let j = 0; j < i; j++) distances[at++] = distanceBetween(chunks[i]!, chunks[j]!);
  return distances;
}

function distancesAcross(x: readonly Float32Array[], y: readonly Float32Array[]): Float64Array {
  const distances = new Float64Array(x.length * y.length);
  let at = 0;
  for (const a of x) for (const b of y) distances[at++] = distanceBetween(a, b);
  return distances;
}

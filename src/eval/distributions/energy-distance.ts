import type { HostArray } from "../../support/host-array.js";
import { chunksOf, expectComparable } from "../samples/expect-samples.js";
import { distanceBetween } from "./distance-between.js";

/**
 * `2 E|X - Y| - E|X - X'| - E|Y - Y'|` of samples X and reference samples Y of one observation, averaged over observations;
 * distances over all entries of a chunk. 0 only for equal distributions; it has no parameter.
 *
 * Unbiased (a sample is not compared with itself), so equal distributions give 0 on average and at times a little less. That
 * holds **only for samples and reference of independent noise**: from the same noises they lie too close together. Use
 * `splitDistance`, which takes care of it. Never pool observations: a policy that ignores what it sees can match the pool.
 *
 * @param samples float32 `[O, K, A, M]`, K at least 2
 * @param reference float32 `[O, K', A, M]`, K' at least 2
 * @throws ShapeError for other arrays, ConfigError for entries that are no numbers
 *
 * Reference: Székely and Rizzo 2013, Journal of Statistical Planning and Inference 143.
 */
export function energyDistance(samples: HostArray, reference: HostArray): number {
  const [x, y] = expectComparable("eval.energyDistance", samples, reference, 2);
  let sum = 0;
  for (let o = 0; o < x.numObservations; o++) {
    const [ofX, ofY] = [chunksOf(x, o), chunksOf(y, o)];
    sum += 2 * meanAcross(ofX, ofY) - meanWithin(ofX) - meanWithin(ofY);
  }
  return sum / x.numObservations;
}

function meanAcross(x: readonly Float32Array[], y: readonly Float32Array[]): number {
  let sum = 0;
  for (const a of x) for (const b of y) sum += distanceBetween(a, b);
  return sum / (x.length * y.length);
}

function meanWithin(x: readonly Float32Array[]): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) for (let j = 0; j < i; j++) sum += distanceBetween(x[i]!, x[j]!);
  return (2 * sum) / (x.length * (x.length - 1));
}

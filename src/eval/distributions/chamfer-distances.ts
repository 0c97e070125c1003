import type { HostArray } from "../../support/host-array.js";
import { chunksOf, expectComparable } from "../samples/expect-samples.js";
import { meanOf } from "../statistics/mean-of.js";
import { distanceBetween } from "./distance-between.js";

/** How far samples and reference are from each other's nearest, in the units of one entry of a chunk. */
export interface ChamferDistances {
  /** mean distance from a sample to the nearest reference sample: large if a policy does what the reference never does */
  readonly toReference: number;
  /** mean distance from a reference sample to the nearest sample: large if a policy leaves out what the reference does */
  readonly toSamples: number;
}

/**
 * Precision and coverage apart: distances to the nearest sample of the other side of the same observation, averaged over samples and
 * observations and divided by `sqrt(A M)`. A policy that has collapsed onto one of the reference's ways has a small `toReference`
 * and a large `toSamples`.
 *
 * Both shrink with the number of samples on the **other** side, and with noises that both sides share: compare with a zero level
 * (`splitDistance`), which takes care of both.
 *
 * @param samples float32 `[O, K, A, M]`
 * @param reference float32 `[O, K', A, M]`
 * @throws ShapeError for other arrays, ConfigError for entries that are no numbers
 */
export function chamferDistances(samples: HostArray, reference: HostArray): ChamferDistances {
  const [x, y] = expectComparable("eval.chamferDistances", samples, reference);
  let [toReference, toSamples] = [0, 0];
  for (let o = 0; o < x.numObservations; o++) {
    const [ofX, ofY] = [chunksOf(x, o), chunksOf(y, o)];
    const [nearestX, nearestY] = [
      new Float64Array(ofX.length).fill(Number.POSITIVE_INFINITY),
      new Float64Array(ofY.length).fill(Number.POSITIVE_INFINITY),
    ];
    for (const [i, a] of ofX.entries()) {
      for (const [j, b] of ofY.entries()) {
        const distance = distanceBetween(a, b);
        nearestX[i] = Math.min(nearestX[i]!, distance);
        nearestY[j] = Math.min(nearestY[j]!, distance);
      }
    }
    toReference += meanOf(nearestX)!;
    toSamples += meanOf(nearestY)!;
  }
  const scale = x.numObservations * Math.sqrt(x.numEntries);
  return { toReference: toReference / scale, toSamples: toSamples / scale };
}

import { ConfigError, ShapeError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import { chunksOf, expectComparable } from "../samples/expect-samples.js";
import { seededNumbers } from "../statistics/seeded-numbers.js";

export interface SlicedOptions {
  /** of the directions */
  readonly seed: number;
  /** directions, the same for every observation; 128 if left out */
  readonly numProjections?: number;
}

/**
 * Sliced 2-Wasserstein distance: samples and reference are projected on random directions, sorted, and compared place by place;
 * root mean square over places, directions and observations.
 *
 * In the units of one entry of a chunk: moving everything by a vector v gives about `|v| / sqrt(A M)`. For a single entry this
 * is the exact W2. Finite samples of one distribution are apart, too: compare with a zero level (`splitDistance`).
 *
 * @param samples float32 `[O, K, A, M]`
 * @param reference of the same shape
 * @throws ShapeError for other arrays, ConfigError for entries that are no numbers and impossible options
 *
 * Reference: Bonneel et al. 2015, Journal of Mathematical Imaging and Vision 51.
 */
export function slicedWasserstein(
  samples: HostArray,
  reference: HostArray,
  { seed, numProjections = 128 }: SlicedOptions,
): number {
  const where = "eval.slicedWasserstein";
  const [x, y] = expectComparable(where, samples, reference);
  if (x.numNoises !== y.numNoises) {
    throw new ShapeError(`${where}: expected as many samples as reference samples, got ${x.numNoises}, ${y.numNoises}`);
  }
  if (!Number.isSafeInteger(numProjections) || numProjections < 1) {
    throw new ConfigError(where, `expected numProjections to be a whole number of at least 1, got ${numProjections}`);
  }
  const random = seededNumbers(where, seed);
  const directions = Array.from({ length: numProjections }, () => {
    const direction = Float64Array.from({ length: x.numEntries }, random.normal);
    const length = Math.sqrt(direction.reduce((sum, value) => sum + value ** 2, 0));
    return direction.map((value) => value / length);
  });
  let sum = 0;
  for (let o = 0; o < x.numObservations; o++) {
    const [ofX, ofY] = [chunksOf(x, o), chunksOf(y, o)];
    for (const direction of directions) {
      const [a, b] = [projected(ofX, direction), projected(ofY, direction)];
      for (const [i, value] of a.entries()) sum += (value - b[i]!) ** 2;
    }
  }
  return Math.sqrt(sum / (x.numObservations * x.numNoises * numProjections));
}

const projected = (chunks: readonly Float32Array[], direction: Float64Array): Float64Array =>
  Float64Array.from(chunks, (chunk) => {
    let sum = 0;
    for (let i = 0; i < chunk.length; i++) sum += chunk[i]! * direction[i]!;
    return sum;
  }).sort();

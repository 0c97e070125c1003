import { ShapeError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { expectComparable, type Samples } from "../samples/expect-samples.js";
import { seededNumbers } from "../statistics/seeded-numbers.js";

/** A distance of distributions beside what it is for the reference and itself. */
export interface SplitDistance {
  readonly distance: number;
  /** of one half of the reference's samples to the other: what is no difference at this number of samples */
  readonly zeroLevel: number;
  /** `distance - zeroLevel`: 0 exactly for a perfect copy, and 0 on average for a sampler of the same distribution */
  readonly excess: number;
}

/**
 * Measures a distance with a zero level. Noises are split into two random halves; samples of one half are compared with
 * reference samples of the **other**, both ways, and the reference's halves with each other. So sample sizes are equal, and
 * samples that share their noises with the reference are never compared with their own twins.
 *
 * @param samples float32 `[O, K, A, M]`, K at least 4; of an odd number one is left out
 * @param reference of the same shape, the same noises or others
 * @param distance `energyDistance`, `slicedWasserstein`, ...; undefined where it has no value
 * @param seed of the split
 * @returns undefined where the distance is
 * @throws ShapeError for other arrays, ConfigError for entries or a seed that are no numbers
 */
export function splitDistance(
  samples: HostArray,
  reference: HostArray,
  distance: (samples: HostArray, reference: HostArray) => number | undefined,
  seed: number,
): SplitDistance | undefined {
  const where = "eval.splitDistance";
  const [x, y] = expectComparable(where, samples, reference, 4);
  if (x.numNoises !== y.numNoises) {
    throw new ShapeError(`${where}: expected as many samples as reference samples, got ${x.numNoises}, ${y.numNoises}`);
  }
  const random = seededNumbers(where, seed);
  const order = Array.from({ length: x.numNoises }, (_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const half = Math.floor(order.length / 2);
  const [first, second] = [order.slice(0, half), order.slice(half, 2 * half)];
  const there = distance(picked(x, first), picked(y, second));
  const back = distance(picked(x, second), picked(y, first));
  const [zeroThere, zeroBack] = [
    distance(picked(y, first), picked(y, second)),
    distance(picked(y, second), picked(y, first)),
  ];
  if (there === undefined || back === undefined || zeroThere === undefined || zeroBack === undefined) return undefined;
  const [value, zeroLevel] = [(there + back) / 2, (zeroThere + zeroBack) / 2];
  return { distance: value, zeroLevel, excess: value - zeroLevel };
}

/** The samples of some noises, for every observation. */
function picked(
  { data, numObservations, numNoises, numSteps, numDims, numEntries }: Samples,
  noises: readonly number[],
): HostArray {
  const chosen = new Float32Array(numObservations * noises.length * numEntries);
  for (let o = 0; o < numObservations; o++) {
    for (const [i, k] of noises.entries()) {
      const from = (o * numNoises + k) * numEntries;
      chosen.set(data.subarray(from, from + numEntries), (o * noises.length + i) * numEntries);
    }
  }
  return hostArray("float32", [numObservations, noises.length, numSteps, numDims], chosen);
}

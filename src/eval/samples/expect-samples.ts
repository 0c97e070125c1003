import { ConfigError, ShapeError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";

/** Sampled chunks of several observations, checked: float32, finite, `[O, K, A, M]`. */
export interface Samples {
  readonly numObservations: number;
  readonly numNoises: number;
  readonly numSteps: number;
  readonly numDims: number;
  /** entries of one chunk, `numSteps * numDims` */
  readonly numEntries: number;
  readonly data: Float32Array;
}

/**
 * Reads an array of sampled chunks, `[O, K, A, M]`: observations, noises, action steps, real action dimensions.
 *
 * @throws ShapeError unless it is float32 of four dimensions, none of them empty, with at least `minNoises` noises
 * @throws ConfigError for an entry that is not a number
 */
export function expectSamples(where: string, name: string, array: HostArray, minNoises = 1): Samples {
  const { dtype, shape } = array;
  const [O = 0, K = 0, A = 0, M = 0] = shape;
  if (dtype !== "float32" || shape.length !== 4 || Math.min(O, K, A, M) < 1) {
    throw new ShapeError(
      `${where}: expected ${name} float32 [observations, noises, A, M], got ${dtype} [${shape.join(", ")}]`,
    );
  }
  if (K < minNoises) {
    throw new ShapeError(`${where}: expected at least ${minNoises} noises per observation in ${name}, got ${K}`);
  }
  const data = array.data as Float32Array;
  expectFinite(where, name, data);
  return { numObservations: O, numNoises: K, numSteps: A, numDims: M, numEntries: A * M, data };
}

/** @throws ConfigError naming the first entry that is not a finite number */
export function expectFinite(where: string, name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new ConfigError(where, `expected finite numbers in ${name}, got ${values[i]} at entry ${i}`);
  }
}

/**
 * Two arrays of samples of the same observations and chunks; the numbers of noises may differ.
 *
 * @throws ShapeError if observations, action steps or dimensions differ, and as `expectSamples`
 */
export function expectComparable(
  where: string,
  samples: HostArray,
  reference: HostArray,
  minNoises = 1,
): [samples: Samples, reference: Samples] {
  const pair = [
    expectSamples(where, "samples", samples, minNoises),
    expectSamples(where, "reference", reference, minNoises),
  ] as [Samples, Samples];
  const [a, r] = pair;
  if (a.numObservations !== r.numObservations || a.numSteps !== r.numSteps || a.numDims !== r.numDims) {
    throw new ShapeError(
      `${where}: expected samples and reference of the same observations and chunks, ` +
        `got [${samples.shape.join(", ")}] and [${reference.shape.join(", ")}]`,
    );
  }
  return pair;
}

/** The chunks of one observation, each flat. */
export function chunksOf({ data, numNoises, numEntries }: Samples, observation: number): Float32Array[] {
  const first = observation * numNoises * numEntries;
  return Array.from({ length: numNoises }, (_, k) =>
    data.subarray(first + k * numEntries, first + (k + 1) * numEntries),
  );
}

import { ConfigError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { expectFinite, expectSamples } from "./expect-samples.js";

export interface ActionsView {
  /** only the first so many action steps: those that a robot executes before it asks again */
  readonly numActionSteps?: number;
  /** physical units per normalised unit, one number above 0 for each action dimension: a dataset's standard deviations */
  readonly scale?: readonly number[];
  /** what 0 stands for in physical units, one number for each action dimension: a dataset's means. 0 if left out */
  readonly offset?: readonly number[];
}

/**
 * Sampled chunks as a measure should see them: their first steps, in physical units, `offset + scale * x`. Every measure
 * of samples can be taken of every view.
 *
 * A sum over dimensions of different units (radians and a gripper's percent) weighs the dimension with the largest numbers
 * most: overall figures belong to normalised units, `errorPerDimension` to physical ones.
 *
 * @param samples float32 `[O, K, A, M]`
 * @returns a new array, float32 `[O, K, numActionSteps, M]`
 * @throws ShapeError for other arrays, ConfigError for a view that does not fit them
 */
export function viewActions(samples: HostArray, { numActionSteps, scale, offset }: ActionsView): HostArray {
  const where = "eval.viewActions";
  const { numObservations, numNoises, numSteps, numDims, numEntries, data } = expectSamples(where, "samples", samples);
  const length = numActionSteps ?? numSteps;
  if (!Number.isSafeInteger(length) || length < 1 || length > numSteps) {
    throw new ConfigError(where, `expected numActionSteps to be a whole number from 1 to ${numSteps}, got ${length}`);
  }
  for (const [name, values] of Object.entries({ scale, offset })) {
    if (values === undefined) continue;
    expectFinite(where, name, values);
    if (values.length === numDims) continue;
    throw new ConfigError(where, `expected ${name} to hold ${numDims} numbers, got ${values.length}`);
  }
  const tooSmall = scale?.find((value) => value <= 0);
  if (tooSmall !== undefined) throw new ConfigError(where, `expected scale to hold numbers above 0, got ${tooSmall}`);
  const size = length * numDims;
  const viewed = new Float32Array(numObservations * numNoises * size);
  for (let i = 0; i < viewed.length; i++) {
    const dim = i % numDims;
    const value = data[Math.floor(i / size) * numEntries + (i % size)]!;
    viewed[i] = (offset?.[dim] ?? 0) + (scale?.[dim] ?? 1) * value;
  }
  return hostArray("float32", [numObservations, numNoises, length, numDims], viewed);
}

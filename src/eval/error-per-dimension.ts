import { ShapeError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { expectComparable } from "./samples/expect-samples.js";

/**
 * Root mean square difference for each action dimension, `sqrt(E (a - r)^2)`: in physical units each in its own unit,
 * which no single figure could be.
 *
 * @param samples float32 `[O, K, A, M]`
 * @param reference of the same shape
 * @returns M numbers
 * @throws ShapeError for other arrays
 */
export function errorPerDimension(samples: HostArray, reference: HostArray): number[] {
  const where = "eval.errorPerDimension";
  const [a, r] = expectComparable(where, samples, reference);
  if (a.numNoises !== r.numNoises) {
    throw new ShapeError(`${where}: expected as many noises in both, got ${a.numNoises} and ${r.numNoises}`);
  }
  const squares = new Array<number>(a.numDims).fill(0);
  for (let i = 0; i < a.data.length; i++) squares[i % a.numDims]! += (a.data[i]! - r.data[i]!) ** 2;
  return squares.map((sum) => Math.sqrt((sum * a.numDims) / a.data.length));
}

import { ShapeError } from "../../support/errors.js";
import { type HostArray, numElements } from "../../support/host-array.js";
import { expectFinite } from "../samples/expect-samples.js";

/**
 * `|noise - actions|^2` of each pair of a coupling, a mean over the entries of a chunk.
 *
 * For drawn noise and demonstrations this is the cost before a flow was learnt, for noise and where a flow carries it the cost
 * after; the second is at most the first.
 *
 * @param noise float32 `[B, A, M]`, real action dimensions
 * @param actions of the same shape
 * @returns one number per pair
 * @throws ShapeError if the shapes differ, ConfigError for entries that are no numbers
 */
export function transportCosts(noise: HostArray, actions: HostArray): number[] {
  const where = "eval.transportCosts";
  const isFloat = noise.dtype === "float32" && actions.dtype === "float32";
  const isSame = noise.shape.join() === actions.shape.join();
  if (!isFloat || !isSame || noise.shape.length !== 3 || numElements(noise.shape) === 0) {
    throw new ShapeError(
      `${where}: expected noise and actions float32 [B, A, M], ` +
        `got ${noise.dtype} [${noise.shape.join(", ")}] and ${actions.dtype} [${actions.shape.join(", ")}]`,
    );
  }
  const [n, a] = [noise.data as Float32Array, actions.data as Float32Array];
  expectFinite(where, "noise", n);
  expectFinite(where, "actions", a);
  const numPairs = noise.shape[0]!;
  const costs = new Array<number>(numPairs).fill(0);
  const numEntries = n.length / numPairs;
  for (let i = 0; i < n.length; i++) costs[Math.floor(i / numEntries)]! += (n[i]! - a[i]!) ** 2 / numEntries;
  return costs;
}

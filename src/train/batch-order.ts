import { epochOrder } from "../data/index.js";
import { deriveSeed } from "../support/derive-seed.js";

/** How often batches come again, so that what was computed for them can be used again. */
export interface Reuse {
  /** uses of each batch, at least 1 */
  readonly numUses: number;
  /** batches that take turns before new ones come, at least 1 */
  readonly numBatches: number;
  readonly seed: number;
}

/**
 * The number of the batch of data that a step gets, both from 0.
 *
 * Without reuse they are the same. With it, blocks of `numBatches` batches are passed `numUses` times each: first in
 * order, then in a new order each time.
 */
export function batchNumber(step: number, reuse: Reuse | undefined): number {
  if (reuse === undefined || reuse.numUses === 1) return step;
  const { numUses, numBatches, seed } = reuse;
  const block = Math.floor(step / (numUses * numBatches));
  const inBlock = step % (numUses * numBatches);
  const pass = Math.floor(inBlock / numBatches);
  const place = inBlock % numBatches;
  const chosen = pass === 0 ? place : epochOrder(numBatches, deriveSeed(seed, "reuse", block), pass)[place]!;
  return block * numBatches + chosen;
}

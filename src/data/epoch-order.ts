import { createHash } from "node:crypto";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";

/**
 * The order in which an epoch visits the frames: a uniformly random permutation of `0 .. numFrames - 1`, a pure function
 * of its arguments, so that any step of any run can be found again without replaying the steps before it.
 *
 * Fisher-Yates with a generator whose whole state is derived from `(seed, epoch)`, so neither neighbouring seeds nor
 * neighbouring epochs share anything.
 */
export function epochOrder(numFrames: number, seed: number, epoch: number): Uint32Array {
  const digest = createHash("sha256").update(`epoch order of seed ${seed}, epoch ${epoch}`).digest();
  const generator = xoroshiro128plusFromState([0, 4, 8, 12].map((offset) => digest.readInt32LE(offset)));
  const order = Uint32Array.from({ length: numFrames }, (_, i) => i);
  for (let i = numFrames - 1; i > 0; i--) {
    const j = uniformInt(generator, 0, i);
    const moved = order[i]!;
    order[i] = order[j]!;
    order[j] = moved;
  }
  return order;
}

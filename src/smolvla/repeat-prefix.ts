import { repeatInterleave, scope, type Tensor } from "../torch/index.js";
import type { Prefix } from "./action-expert.js";

/**
 * A prefix in which every observation stands `count` times in a row, for sampling several actions from one encoding:
 * `[B, ...]` -> `[B * count, ...]`. Entries that are the same for the whole batch stay as they are.
 */
export function repeatPrefix(prefix: Prefix, count: number): Prefix {
  const batchSize = prefix.crossMask.size(0);
  const repeat = (x: Tensor): Tensor => (x.size(0) === batchSize ? repeatInterleave(x, count, 0) : x);
  return scope(() => ({
    layers: prefix.layers.map(({ key, value }) => ({ key: repeat(key), value: repeat(value) })),
    jointMask: repeat(prefix.jointMask),
    jointRotary: { cos: repeat(prefix.jointRotary.cos), sin: repeat(prefix.jointRotary.sin) },
    crossMask: repeat(prefix.crossMask),
    crossRotary: { cos: repeat(prefix.crossRotary.cos), sin: repeat(prefix.crossRotary.sin) },
  }));
}

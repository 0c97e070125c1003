import { indexSelect, repeatInterleave, scope, type Tensor } from "../torch/index.js";
import type { Prefix } from "./action-expert.js";

/**
 * A prefix in which every observation stands `count` times in a row, for sampling several actions from one encoding:
 * `[B, ...]` -> `[B * count, ...]`. Entries that are the same for the whole batch stay as they are.
 */
export const repeatPrefix = (prefix: Prefix, count: number): Prefix =>
  count === 1 ? prefix : mapRows(prefix, (x) => repeatInterleave(x, count, 0));

/** A prefix of some of its observations, by their int64 numbers `[n]`. */
export const selectPrefix = (prefix: Prefix, rows: Tensor): Prefix => mapRows(prefix, (x) => indexSelect(x, 0, rows));

function mapRows(prefix: Prefix, map: (x: Tensor) => Tensor): Prefix {
  const batchSize = prefix.crossMask.size(0);
  const mapped = (x: Tensor): Tensor => (x.size(0) === batchSize ? map(x) : x);
  return scope(() => ({
    layers: prefix.layers.map(({ key, value }) => ({ key: mapped(key), value: mapped(value) })),
    jointMask: mapped(prefix.jointMask),
    jointRotary: { cos: mapped(prefix.jointRotary.cos), sin: mapped(prefix.jointRotary.sin) },
    crossMask: mapped(prefix.crossMask),
    crossRotary: { cos: mapped(prefix.crossRotary.cos), sin: mapped(prefix.crossRotary.sin) },
  }));
}

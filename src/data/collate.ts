import { DatasetError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import type { DatasetItem } from "./lerobot-dataset.js";
import { stackArrays } from "./stack-arrays.js";

/** Items put side by side. */
export interface DatasetBatch {
  /** per key of the items, `[B, ...shape of an item's array]` */
  readonly arrays: Readonly<Record<string, HostArray>>;
  /** `B` instructions */
  readonly tasks: readonly string[];
}

const describe = ({ dtype, shape }: HostArray): string => `${dtype} [${shape.join(", ")}]`;

/**
 * Stacks items into a batch, along a new first dimension B.
 *
 * @throws DatasetError naming the key and the item if an item lacks a key or its array has another shape or type
 */
export function collate(items: readonly DatasetItem[]): DatasetBatch {
  const [first] = items;
  if (first === undefined) throw new DatasetError("collate: expected at least one item, got none");
  const arrays: Record<string, HostArray> = {};
  for (const [key, expected] of Object.entries(first.arrays)) {
    const column = items.map(({ arrays }, i) => {
      const array = arrays[key];
      if (array !== undefined && describe(array) === describe(expected)) return array;
      const got = array === undefined ? "nothing" : describe(array);
      throw new DatasetError(
        `collate: expected "${key}" of item ${i} to be ${describe(expected)} as of item 0, got ${got}`,
      );
    });
    arrays[key] = stackArrays(column)!;
  }
  for (const [i, item] of items.entries()) {
    const extra = Object.keys(item.arrays).find((key) => !Object.hasOwn(arrays, key));
    if (extra !== undefined) {
      throw new DatasetError(`collate: expected item ${i} to have the keys of item 0, got also "${extra}"`);
    }
  }
  return { arrays, tasks: items.map(({ task }) => task) };
}

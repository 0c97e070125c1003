import { ShapeError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";

/** The dataset's numbers of the frames in a processed batch, by which stored pairs are found. */
export function frameNumbers({ index }: Readonly<Record<string, HostArray>>): readonly number[] {
  if (index === undefined) throw new ShapeError('pairs: expected "index" in the batch, got none');
  return Array.from(index.data, Number);
}

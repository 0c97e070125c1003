import { ShapeError } from "../../support/errors.js";

/** The sum of counts. @throws ShapeError unless they are at least two whole numbers from 0 on */
export function sumOfCounts(where: string, counts: readonly number[]): number {
  const odd = counts.find((count) => !Number.isSafeInteger(count) || count < 0);
  if (odd !== undefined)
    throw new ShapeError(`${where}: expected counts to be whole numbers of at least 0, got ${odd}`);
  if (counts.length < 2) throw new ShapeError(`${where}: expected counts of at least 2 modes, got ${counts.length}`);
  return counts.reduce((sum, count) => sum + count, 0);
}

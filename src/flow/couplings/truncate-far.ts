import { ShapeError } from "../../support/errors.js";
import { expectNumber } from "../expect-number.js";

/** What floating-point products such as 0.29 * 100 fall short of whole numbers. */
const ROUNDING = 1e-9;

/**
 * Weights that leave out the given share of pairs with the largest distance in **each group**: of n pairs of a group the
 * `floor(share * n)` farthest get 0, all others 1. Of equally far pairs the later ones go first.
 *
 * Without groups whole tasks could vanish, those whose actions are far from everything. A group too small for its share to
 * make a whole pair loses none; so this wants many pairs at once, not the few of one batch.
 *
 * @param distances of pairs, from `pairDistance`
 * @param groups of the same pairs, such as their tasks
 * @param share from 0 to below 1
 * @returns 0 or 1 for each pair
 * @throws ShapeError if there is not one group for each distance, ConfigError for a share out of range or a distance that
 * is not a number
 *
 * Reference: Re-MeanFlow, arXiv:2511.23342, which drops a tenth over all of its images.
 */
export function truncateFar(
  distances: readonly number[],
  groups: readonly (string | number)[],
  share: number,
): (0 | 1)[] {
  const where = "flow.truncateFar";
  expectNumber(where, "share", share, share >= 0 && share < 1, "a share from 0 to below 1");
  if (groups.length !== distances.length) {
    throw new ShapeError(`${where}: expected one group for each of ${distances.length} pairs, got ${groups.length}`);
  }
  for (const distance of distances) expectNumber(where, "a distance", distance, true, "a finite number");
  const weights = distances.map((): 0 | 1 => 1);
  for (const members of indicesByGroup(groups)) {
    const numFar = Math.floor(share * members.length + ROUNDING);
    const farthestFirst = members.sort((i, j) => distances[j]! - distances[i]! || j - i);
    for (const i of farthestFirst.slice(0, numFar)) weights[i] = 0;
  }
  return weights;
}

function indicesByGroup(groups: readonly (string | number)[]): Iterable<number[]> {
  const members = new Map<string | number, number[]>();
  for (const [i, group] of groups.entries()) {
    const list = members.get(group);
    if (list === undefined) members.set(group, [i]);
    else list.push(i);
  }
  return members.values();
}

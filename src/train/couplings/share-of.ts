import type { Figure } from "../objectives/objective.js";

/**
 * The figure `pairs/<name>`: the share of pairs of which something is true.
 *
 * @param flags 1 for each pair of which it is true, 0 for others
 * @param numTried how many it could be true of; all if left out
 */
export const shareOf = (name: string, flags: readonly number[], numTried = flags.length): Figure => ({
  name: `pairs/${name}`,
  value: numTried === 0 ? 0 : flags.reduce((n, flag) => n + flag, 0) / numTried,
  weight: numTried,
});

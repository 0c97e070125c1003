import { ConfigError } from "../../support/errors.js";

/** What the measures need of an episode. */
export interface EpisodeOutcome {
  readonly success: boolean;
  /** the way it went, as far as it was decided */
  readonly mode: string;
}

/** How often successful episodes went each way. */
export interface ModeCounts {
  /** one entry per mode, in the order of `modes` */
  readonly counts: readonly number[];
  /** their sum: successful episodes that went one of the ways */
  readonly numCounted: number;
  /** successful episodes whose way was not decided wholly, as when leaps are large */
  readonly numUndecided: number;
}

/**
 * Counts the ways of successful episodes; failed ones have none.
 *
 * @param modes all ways there are, such as `environment.modes`
 * @throws ConfigError if there are fewer than two, as there is no variety to measure then
 */
export function countModes(episodes: readonly EpisodeOutcome[], modes: readonly string[]): ModeCounts {
  if (modes.length < 2) throw new ConfigError("env.countModes", `expected at least 2 modes, got ${modes.length}`);
  const indexOf = new Map(modes.map((mode, i) => [mode, i]));
  const counts = modes.map(() => 0);
  let numUndecided = 0;
  for (const { success, mode } of episodes) {
    if (!success) continue;
    const index = indexOf.get(mode);
    if (index === undefined) numUndecided += 1;
    else counts[index]! += 1;
  }
  return { counts, numCounted: counts.reduce((sum, count) => sum + count, 0), numUndecided };
}

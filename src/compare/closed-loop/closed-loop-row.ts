import type { Latency } from "../../eval/index.js";
import { type Episode, summarizeEpisodes } from "../../rollout/index.js";
import type { ClosedLoopRow } from "../comparison.js";

/** Episodes whose way is kept for drawing. */
const NUM_ROUTES = 100;

export interface RowParts {
  readonly policy: string;
  readonly numSteps: number;
  readonly episodes: readonly Episode[];
  /** that were asked for */
  readonly numEpisodes: number;
  /** all ways of the world */
  readonly modes: readonly string[];
  readonly latency: Latency | undefined;
  readonly seconds: number;
  /** files, relative to the comparison's folder */
  readonly videos: readonly string[];
}

/** Episodes of one policy with one number of steps, without what compares them. */
export const closedLoopRow = ({ episodes, numEpisodes, modes, ...rest }: RowParts): ClosedLoopRow => ({
  ...rest,
  status: episodes.length < numEpisodes ? "partial" : "complete",
  summary: summarizeEpisodes(episodes, modes),
  episodes: episodes.map(({ index, seed, success, length, mode }) => ({ index, seed, success, length, mode })),
  routes: episodes.slice(0, NUM_ROUTES).map(({ success, states }) => ({
    success,
    points: states.map((state) => [rounded(state[0] ?? 0), rounded(state[1] ?? 0)] as const),
  })),
});

/** Four decimals: a tenth of a millimetre, where positions are metres. */
const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

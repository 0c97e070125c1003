import { countModes, type ModeEntropy, modeEntropy } from "../env/index.js";
import { type Interval, wilsonInterval } from "../eval/index.js";
import type { Episode } from "./rollout.js";

/** What many episodes say together. */
export interface RolloutSummary {
  readonly numEpisodes: number;
  readonly numSuccesses: number;
  /** share of successes with its 95 % Wilson interval; undefined without an episode */
  readonly success: Interval | undefined;
  readonly meanSumReward: number | undefined;
  readonly meanMaxReward: number | undefined;
  readonly meanLength: number | undefined;
  /** successful episodes by the way they went, as far as it was decided; every way of the world, also those never taken */
  readonly modes: Readonly<Record<string, number>>;
  readonly numUndecidedModes: number;
  /** of the ways of successful episodes; undefined for a world that tells none apart */
  readonly entropy: ModeEntropy | undefined;
  /** mean size of the third difference of actions within chunks, over the size of the first difference */
  readonly roughness: number | undefined;
  /** mean change of the action at the start of a chunk, over the mean change within chunks */
  readonly boundaryJump: number | undefined;
}

/** @param modes all ways in which the world's task can be done, see `Environment.modes` */
export function summarizeEpisodes(episodes: readonly Episode[], modes: readonly string[]): RolloutSummary {
  const numSuccesses = episodes.filter(({ success }) => success).length;
  const mean = (of: (episode: Episode) => number): number | undefined =>
    episodes.length === 0 ? undefined : episodes.reduce((sum, episode) => sum + of(episode), 0) / episodes.length;
  const counted = modes.length < 2 ? undefined : countModes(episodes, modes);
  return {
    numEpisodes: episodes.length,
    numSuccesses,
    success: wilsonInterval(numSuccesses, episodes.length),
    meanSumReward: mean(({ sumReward }) => sumReward),
    meanMaxReward: mean(({ maxReward }) => maxReward),
    meanLength: mean(({ length }) => length),
    modes: Object.fromEntries(modes.map((mode, i) => [mode, counted?.counts[i] ?? 0])),
    numUndecidedModes: counted?.numUndecided ?? 0,
    entropy: counted && modeEntropy(counted.counts),
    ...smoothnessOf(episodes),
  };
}

/** Ratios of an episode's own movement, which need no demonstrations: 0 for an even pace. */
function smoothnessOf(episodes: readonly Episode[]): Pick<RolloutSummary, "roughness" | "boundaryJump"> {
  const [third, within, across] = [new Mean(), new Mean(), new Mean()];
  for (const { actions, chunkStarts } of episodes) {
    const starts = new Set(chunkStarts);
    for (let i = 1; i < actions.length; i++) {
      (starts.has(i) ? across : within).add(distance(actions.slice(i - 1, i + 1), [-1, 1]));
      const isWithin = i >= 3 && ![i - 2, i - 1, i].some((step) => starts.has(step));
      if (isWithin) third.add(distance(actions.slice(i - 3, i + 1), [-1, 3, -3, 1]));
    }
  }
  const over = (value: number | undefined, base: number | undefined): number | undefined =>
    value === undefined || !base ? undefined : value / base;
  return { roughness: over(third.value, within.value), boundaryJump: over(across.value, within.value) };
}

class Mean {
  #sum = 0;
  #count = 0;

  add(value: number): void {
    this.#sum += value;
    this.#count += 1;
  }

  get value(): number | undefined {
    return this.#count === 0 ? undefined : this.#sum / this.#count;
  }
}

/** Size of a weighted sum of actions. */
const distance = (actions: readonly Float32Array[], weights: readonly number[]): number =>
  Math.hypot(...Array.from(actions[0]!, (_, dim) => weights.reduce((sum, w, i) => sum + w * actions[i]![dim]!, 0)));

import { DatasetError } from "../support/errors.js";
import type { DatasetMetadata } from "./dataset-metadata.js";
import type { EpisodeMetadata } from "./episode.js";

/** Where an item is: its episode and its frame, counted over the dataset. */
export interface FramePlace {
  readonly episode: EpisodeMetadata;
  readonly frame: number;
}

function selectEpisodes(metadata: DatasetMetadata, selection: readonly number[]): EpisodeMetadata[] {
  const byIndex = new Map(metadata.episodes.map((episode) => [episode.index, episode]));
  const selected = [...new Set(selection)].map((index) => {
    const episode = byIndex.get(index);
    if (episode !== undefined) return episode;
    throw new DatasetError(
      `${metadata.root}: expected episodes among the dataset's ${metadata.episodes.length}, counted from 0, got ${index}`,
    );
  });
  if (selected.length === 0) throw new DatasetError(`${metadata.root}: expected at least one episode, got none`);
  return selected;
}

/** The frames of the selected episodes, numbered from 0 in the dataset's order. */
export class FrameIndex {
  /** selected episodes, in the order of their frames */
  readonly episodes: readonly EpisodeMetadata[];
  readonly numFrames: number;
  readonly #root: string;
  /** for each selected episode, the number of selected frames before it */
  readonly #starts: readonly number[];

  /**
   * @param selection indices of episodes, in any order; all if undefined
   * @throws DatasetError for an episode that the dataset does not have, or an empty selection
   */
  constructor(metadata: DatasetMetadata, selection: readonly number[] | undefined) {
    this.#root = metadata.root;
    const selected = selection === undefined ? [...metadata.episodes] : selectEpisodes(metadata, selection);
    this.episodes = selected.sort((a, b) => a.from - b.from);
    let numFrames = 0;
    this.#starts = this.episodes.map(({ length }) => {
      numFrames += length;
      return numFrames - length;
    });
    this.numFrames = numFrames;
  }

  /** @throws DatasetError for an index out of range */
  locate(item: number): FramePlace {
    if (!Number.isSafeInteger(item) || item < 0 || item >= this.numFrames) {
      const range = this.numFrames === 0 ? "a dataset with frames" : `an item index from 0 to ${this.numFrames - 1}`;
      throw new DatasetError(`${this.#root}: expected ${range}, got ${this.numFrames === 0 ? "an empty one" : item}`);
    }
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle]! <= item) low = middle;
      else high = middle - 1;
    }
    const episode = this.episodes[low]!;
    return { episode, frame: episode.from + item - this.#starts[low]! };
  }
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import { truncateFar } from "../../flow/index.js";
import { CheckpointError, ShapeError } from "../../support/errors.js";
import { cat, disposeAll, reshape, scope, slice, type Tensor } from "../../torch/index.js";
import { numShards, type PairManifest, readPairManifest, shardName } from "./pair-manifest.js";
import { expectMatchingPairs, type PairRequirements } from "./pair-requirements.js";
import { openShard, type PairShard } from "./pair-shard.js";

/** What a run wants from a set. */
export interface PairUse {
  readonly requirements: PairRequirements;
  /** the frames that it learns from */
  readonly frames: readonly number[];
  /** pairs of each frame that a batch takes */
  readonly numNoises: number;
}

/** A pair set on disk, opened to be read. */
export class PairSet {
  readonly manifest: PairManifest;
  readonly #shards: readonly PairShard[];
  readonly #places: ReadonlyMap<number, number>;

  private constructor(manifest: PairManifest, shards: readonly PairShard[]) {
    this.manifest = manifest;
    this.#shards = shards;
    this.#places = new Map(manifest.frames.map((frame, place) => [frame, place]));
  }

  /**
   * Opens a set for a run.
   *
   * @throws CheckpointError if the set is unfinished or damaged, was not made for this run, or has too few pairs for it
   */
  static async open(folder: string, { requirements, frames, numNoises }: PairUse): Promise<PairSet> {
    const manifest = await readPairManifest(folder);
    expectMatchingPairs(folder, manifest, requirements);
    if (numNoises > manifest.numNoises) {
      throw new CheckpointError(
        `--reflow.noises_per_observation: expected at most the ${manifest.numNoises} pairs that ${folder} holds of each ` +
          `observation, got ${numNoises}`,
      );
    }
    const stored = new Set(manifest.frames);
    const missing = frames.filter((frame) => !stored.has(frame));
    if (missing.length > 0) {
      throw new CheckpointError(
        `--reflow.pairs: ${folder} has no pairs for ${missing.length} of the run's ${frames.length} frames (first: frame ` +
          `${missing[0]}). Make them for the same episodes, or choose episodes with --dataset.episodes`,
      );
    }
    return PairSet.read(folder, manifest);
  }

  /** Opens a set to look at it. @throws CheckpointError if it is unfinished or damaged */
  static async read(folder: string, manifest: PairManifest): Promise<PairSet> {
    const paths = Array.from({ length: numShards(manifest) }, (_, shard) => join(folder, shardName(shard)));
    const missing = paths.filter((path) => !existsSync(path));
    if (missing.length > 0) {
      throw new CheckpointError(
        `--reflow.pairs: ${folder} is unfinished: ${missing.length} of its ${paths.length} shards are missing (first: ` +
          `${missing[0]}). Run the same \`reflow pairs\` command again; it continues where it was`,
      );
    }
    const shards: PairShard[] = [];
    try {
      for (const [i, path] of paths.entries()) shards.push(await openShard(path, manifest, i));
    } catch (error) {
      disposeAll(shards);
      throw error;
    }
    return new PairSet(manifest, shards);
  }

  /** `|actions - noise|` of some frames' pairs, K in a row for each. */
  distances(frames: readonly number[]): readonly number[] {
    const ofShards = this.#shards.map(({ distance }) => distance.toNumbers());
    const { numNoises } = this.manifest;
    return frames.flatMap((frame) => {
      const { shard, row } = this.#find(frame);
      return ofShards[shard]!.slice(row * numNoises, (row + 1) * numNoises);
    });
  }

  /**
   * Which pairs of some frames are left when the farthest of each task are left out: 0 or 1 for each of a frame's K pairs.
   *
   * @param share of the pairs of each task, see `truncateFar`
   */
  truncation(share: number, frames: readonly number[]): ReadonlyMap<number, readonly (0 | 1)[]> {
    const { taskIndices, numNoises } = this.manifest;
    const tasks = frames.flatMap((frame) => {
      const task = taskIndices[this.#place(frame)]!;
      return Array<number>(numNoises).fill(task);
    });
    const weights = truncateFar(this.distances(frames), tasks, share);
    return new Map(frames.map((frame, i) => [frame, weights.slice(i * numNoises, (i + 1) * numNoises)]));
  }

  /**
   * Chosen pairs of one frame.
   *
   * @param picks numbers of pairs, each below K
   * @returns noise and actions, `[picks, A, M]`
   */
  pairs(frame: number, picks: readonly number[]): { readonly noise: Tensor; readonly actions: Tensor } {
    const { shard, row } = this.#find(frame);
    const { noise, actions } = this.#shards[shard]!;
    const { numNoises, chunkSize, maxActionDim } = this.manifest;
    const chosen = (all: Tensor): Tensor =>
      cat(
        picks.map((pick) => {
          if (pick >= numNoises) throw new ShapeError(`pairs: expected a pair below ${numNoises}, got ${pick}`);
          return reshape(slice(slice(all, 0, row, row + 1), 1, pick, pick + 1), [1, chunkSize, maxActionDim]);
        }),
        0,
      );
    return scope(() => ({ noise: chosen(noise), actions: chosen(actions) }));
  }

  #place(frame: number): number {
    const place = this.#places.get(frame);
    if (place === undefined) throw new ShapeError(`pairs: expected a frame of the set, got ${frame}`);
    return place;
  }

  #find(frame: number): { readonly shard: number; readonly row: number } {
    const place = this.#place(frame);
    const { framesPerShard } = this.manifest;
    return { shard: Math.floor(place / framesPerShard), row: place % framesPerShard };
  }

  dispose(): void {
    disposeAll([...this.#shards]);
  }
}

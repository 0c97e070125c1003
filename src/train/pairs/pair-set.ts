import { existsSync } from "node:fs";
import { join } from "node:path";
import { truncateFar } from "../../flow/index.js";
import { CheckpointError, ShapeError } from "../../support/errors.js";
import { cat, disposeAll, expectShape, mapSafetensors, reshape, scope, slice, type Tensor } from "../../torch/index.js";
import {
  expectMatchingPairs,
  numShards,
  type PairManifest,
  type PairRequirements,
  readPairManifest,
  shardName,
} from "./pair-manifest.js";

/** One shard's tensors: n frames with K pairs each. They stay in the mapped file until they are used. */
interface Shard {
  /** float32 `[n, K, A, M]` */
  readonly noise: Tensor;
  /** float32 `[n, K, A, M]` */
  readonly actions: Tensor;
  /** `|actions - noise|` over the robot's dimensions, float32 `[n, K]` */
  readonly distance: Tensor;
}

/** A pair set on disk, opened to be read. */
export class PairSet {
  readonly manifest: PairManifest;
  readonly #shards: readonly Shard[];
  readonly #places: ReadonlyMap<number, number>;

  private constructor(manifest: PairManifest, shards: readonly Shard[]) {
    this.manifest = manifest;
    this.#shards = shards;
    this.#places = new Map(manifest.frames.map((frame, place) => [frame, place]));
  }

  /**
   * @throws CheckpointError if the set is unfinished, damaged, or was not made for this run
   */
  static async open(folder: string, wanted: PairRequirements): Promise<PairSet> {
    const manifest = await readPairManifest(folder);
    expectMatchingPairs(folder, manifest, wanted);
    const paths = Array.from({ length: numShards(manifest) }, (_, shard) => join(folder, shardName(shard)));
    const missing = paths.filter((path) => !existsSync(path));
    if (missing.length > 0) {
      throw new CheckpointError(
        `--reflow.pairs: ${folder} is unfinished: ${missing.length} of its ${paths.length} shards are missing (first: ` +
          `${missing[0]}). Run the same \`reflow pairs\` command again; it continues where it was`,
      );
    }
    const shards: Shard[] = [];
    try {
      for (const [i, path] of paths.entries()) shards.push(await openShard(path, manifest, i));
    } catch (error) {
      disposeAll(shards);
      throw error;
    }
    return new PairSet(manifest, shards);
  }

  /** Which of some frames the set has no pairs for. */
  missing(frames: readonly number[]): readonly number[] {
    return frames.filter((frame) => !this.#places.has(frame));
  }

  /**
   * Which pairs are left when the farthest of each task are left out, by frame: 0 or 1 for each of its K pairs.
   *
   * @param share see `truncateFar`
   */
  truncation(share: number): ReadonlyMap<number, readonly (0 | 1)[]> {
    const { frames, taskIndices, numNoises } = this.manifest;
    const distances = this.#shards.flatMap(({ distance }) => distance.toNumbers());
    const tasks = taskIndices.flatMap((task) => Array<number>(numNoises).fill(task));
    const weights = truncateFar(distances, tasks, share);
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
    const { numNoises, chunkSize, maxActionDim } = this.manifest;
    const chosen = (all: Tensor): Tensor =>
      cat(
        picks.map((pick) => {
          if (pick >= numNoises) throw new ShapeError(`pairs: expected a pair below ${numNoises}, got ${pick}`);
          return reshape(slice(slice(all, 0, row, row + 1), 1, pick, pick + 1), [1, chunkSize, maxActionDim]);
        }),
        0,
      );
    return scope(() => ({ noise: chosen(shard.noise), actions: chosen(shard.actions) }));
  }

  #find(frame: number): { readonly shard: Shard; readonly row: number } {
    const place = this.#places.get(frame);
    if (place === undefined) throw new ShapeError(`pairs: expected a frame of the set, got ${frame}`);
    const { framesPerShard } = this.manifest;
    return { shard: this.#shards[Math.floor(place / framesPerShard)]!, row: place % framesPerShard };
  }

  dispose(): void {
    disposeAll([...this.#shards]);
  }
}

async function openShard(path: string, manifest: PairManifest, shard: number): Promise<Shard> {
  const { frames, framesPerShard, numNoises: K, chunkSize: A, maxActionDim: M } = manifest;
  const n = Math.min(framesPerShard, frames.length - shard * framesPerShard);
  const tensors = await mapSafetensors(path);
  try {
    const take = (name: string, pattern: string): Tensor => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new CheckpointError(`${path}: expected a tensor "${name}", got none`);
      expectShape(tensor, pattern, `${path}: ${name}`, { n, K, A, M }, "float32");
      return tensor;
    };
    return { noise: take("noise", "n K A M"), actions: take("actions", "n K A M"), distance: take("distance", "n K") };
  } catch (error) {
    disposeAll(tensors);
    throw error;
  }
}

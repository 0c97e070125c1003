/** The file of one shard: n frames with K pairs each. */
import { CheckpointError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { sourceOf, writeSafetensors } from "../../support/safetensors.js";
import { disposeAll, expectShape, mapSafetensors, type Tensor } from "../../torch/index.js";
import { type PairManifest, placesOfShard } from "./pair-manifest.js";

/** A shard's tensors. They stay in the mapped file until they are used. */
export interface PairShard {
  /** float32 `[n, K, A, M]` */
  readonly noise: Tensor;
  /** float32 `[n, K, A, M]` */
  readonly actions: Tensor;
  /** `|actions - noise|` over the robot's dimensions, float32 `[n, K]` */
  readonly distance: Tensor;
}

/** The same, about to be written. */
export interface ShardArrays {
  readonly noise: HostArray;
  readonly actions: HostArray;
  readonly distance: HostArray;
}

/** @throws CheckpointError or ShapeError naming the file and what of it is not as the manifest says */
export async function openShard(path: string, manifest: PairManifest, shard: number): Promise<PairShard> {
  const { numNoises: K, chunkSize: A, maxActionDim: M } = manifest;
  const { numFrames: n } = placesOfShard(manifest, shard);
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

/** Writes a shard completely or not at all. */
export const writeShard = (path: string, { noise, actions, distance }: ShardArrays): Promise<void> =>
  writeSafetensors(
    path,
    new Map([
      ["noise", sourceOf(noise)],
      ["actions", sourceOf(actions)],
      ["distance", sourceOf(distance)],
    ]),
  );

/** Several parts of a shard, each of whole frames, as one. */
export function joinShard(parts: readonly ShardArrays[]): ShardArrays {
  const join = (name: keyof ShardArrays): HostArray => {
    const arrays = parts.map((part) => part[name]);
    const numFrames = arrays.reduce((n, { shape }) => n + shape[0]!, 0);
    const data = new Float32Array(arrays.reduce((n, array) => n + array.data.length, 0));
    let at = 0;
    for (const array of arrays) {
      data.set(array.data as Float32Array, at);
      at += array.data.length;
    }
    return hostArray("float32", [numFrames, ...arrays[0]!.shape.slice(1)], data);
  };
  return { noise: join("noise"), actions: join("actions"), distance: join("distance") };
}

import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../../support/atomic-file.js";
import { parseWithSchema } from "../../support/parse-with-schema.js";
import { readJson } from "../../support/read-json.js";

/** The file of a pair set that says what its pairs are; the pairs lie beside it in shards. */
export const MANIFEST_FILE = "pairs.json";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(1);

const MANIFEST = z
  .object({
    format: z.literal(1),
    /** name and version of what made it */
    program: z.string(),
    conventions: z.object({ time: z.string(), velocity: z.string(), noise: z.string() }),
    teacher: z.object({ path: z.string(), weightsSha256: sha256, k: count }),
    statisticsSha256: sha256,
    /** of the pipelines that observations went through, renaming included */
    processorsSha256: sha256,
    dataset: z.object({ repoId: z.string().nullable(), contentHash: z.string() }),
    solver: z.string(),
    grid: z.string(),
    numSteps: count,
    paddedDims: z.enum(["teacher", "zero", "mask"]),
    precision: z.enum(["fp32", "bf16"]),
    seed: z.int().min(0),
    /** K, pairs of each frame */
    numNoises: count,
    chunkSize: count,
    maxActionDim: count,
    /** dimensions that distances are measured in */
    actionDim: count,
    /** the dataset's frame numbers, in the order of the shards */
    frames: z.array(z.int().min(0)).min(1),
    /** the task of each frame, as the dataset numbers them */
    taskIndices: z.array(z.int().min(0)).min(1),
    /** frames of each shard but the last */
    framesPerShard: count,
  })
  .refine(({ frames, taskIndices }) => taskIndices.length === frames.length, {
    path: ["taskIndices"],
    message: "expected one task for each frame",
  })
  .refine(({ frames }) => new Set(frames).size === frames.length, {
    path: ["frames"],
    message: "expected every frame once",
  });

/** What a stored pair set is: enough to know whether a run may learn from it, and to make it again. */
export type PairManifest = z.infer<typeof MANIFEST>;

export const shardName = (shard: number): string => `pairs-${String(shard).padStart(5, "0")}.safetensors`;

export const isShardName = (name: string): boolean => /^pairs-\d{5,}\.safetensors$/.test(name);

type Layout = Pick<PairManifest, "frames" | "framesPerShard">;

export const numShards = ({ frames, framesPerShard }: Layout): number => Math.ceil(frames.length / framesPerShard);

/** How many frames lie in the shards before a shard, and in it. */
export function placesOfShard(
  { frames, framesPerShard }: Layout,
  shard: number,
): { readonly first: number; readonly numFrames: number } {
  const first = shard * framesPerShard;
  return { first, numFrames: Math.min(framesPerShard, frames.length - first) };
}

/** @throws CheckpointError or ConfigError naming the file if it is missing or damaged */
export async function readPairManifest(folder: string): Promise<PairManifest> {
  const path = join(folder, MANIFEST_FILE);
  return parseWithSchema(MANIFEST, await readJson(path, "`reflow pairs` writes a pair set"), path);
}

export const writePairManifest = (folder: string, manifest: PairManifest): Promise<void> =>
  writeFileAtomically(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest)}\n`);

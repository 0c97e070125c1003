import { join } from "node:path";
import { z } from "zod";
import type { DatasetMetadata } from "../../data/index.js";
import { processorsHash } from "../../policy/processors/processors-hash.js";
import { statisticsHash } from "../../policy/processors/statistics.js";
import { CONVENTIONS } from "../../policy/provenance.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { actionDim } from "../../smolvla/config.js";
import { writeFileAtomically } from "../../support/atomic-file.js";
import { CheckpointError } from "../../support/errors.js";
import { parseWithSchema } from "../../support/parse-with-schema.js";
import { readJson } from "../../support/read-json.js";

/** The file of a pair set that says what its pairs are; the pairs lie beside it in shards. */
export const MANIFEST_FILE = "pairs.json";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(1);

const MANIFEST = z.object({
  format: z.literal(1),
  conventions: z.object({ time: z.string(), velocity: z.string(), noise: z.string() }),
  teacher: z.object({ path: z.string(), weightsSha256: sha256, k: count }),
  statisticsSha256: sha256,
  processorsSha256: sha256,
  dataset: z.object({ repoId: z.string().nullable(), contentHash: z.string() }),
  solver: z.string(),
  grid: z.string(),
  numSteps: count,
  paddedDims: z.enum(["teacher", "zero", "mask"]),
  precision: z.enum(["fp32", "bf16"]),
  seed: z.int().min(0),
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
});

/** What a stored pair set is: enough to know whether a run may learn from it, and to make it again. */
export type PairManifest = z.infer<typeof MANIFEST>;

export const shardName = (shard: number): string => `pairs-${String(shard).padStart(5, "0")}.safetensors`;

export const numShards = ({ frames, framesPerShard }: PairManifest): number =>
  Math.ceil(frames.length / framesPerShard);

/** @throws CheckpointError or ConfigError naming the file if it is missing or damaged */
export async function readPairManifest(folder: string): Promise<PairManifest> {
  const path = join(folder, MANIFEST_FILE);
  return parseWithSchema(MANIFEST, await readJson(path, "`reflow pairs` writes a pair set"), path);
}

export const writePairManifest = (folder: string, manifest: PairManifest): Promise<void> =>
  writeFileAtomically(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest)}\n`);

/** What of a set's provenance must be the same in a run that learns from it. */
export type PairRequirements = Pick<
  PairManifest,
  "statisticsSha256" | "processorsSha256" | "paddedDims" | "chunkSize" | "maxActionDim" | "actionDim"
> & { readonly weightsSha256: string; readonly contentHash: string };

/** Of those, what the teacher says. */
export const pairFacts = ({ processors, config }: SmolVLAPolicy) => ({
  statisticsSha256: statisticsHash([processors.preprocessor, processors.postprocessor]),
  processorsSha256: processorsHash(processors),
  chunkSize: config.chunkSize,
  maxActionDim: config.maxActionDim,
  actionDim: actionDim(config),
});

/** The numbers of a dataset's frames, or of those of some episodes. */
export function framesOf(dataset: DatasetMetadata, episodes: readonly number[] | undefined): readonly number[] {
  const chosen = episodes && new Set(episodes);
  return dataset.episodes
    .filter(({ index }) => chosen?.has(index) ?? true)
    .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i));
}

/**
 * @throws CheckpointError naming everything about which the set and the run differ
 */
export function expectMatchingPairs(folder: string, manifest: PairManifest, wanted: PairRequirements): void {
  const facts: readonly (readonly [what: string, theirs: unknown, mine: unknown])[] = [
    ["teacher's weights", manifest.teacher.weightsSha256, wanted.weightsSha256],
    ["teacher's statistics", manifest.statisticsSha256, wanted.statisticsSha256],
    ["teacher's processors", manifest.processorsSha256, wanted.processorsSha256],
    ["dataset", manifest.dataset.contentHash, wanted.contentHash],
    ["reflow.padded_dims", manifest.paddedDims, wanted.paddedDims],
    ["chunk_size", manifest.chunkSize, wanted.chunkSize],
    ["max_action_dim", manifest.maxActionDim, wanted.maxActionDim],
    ["action dimensions", manifest.actionDim, wanted.actionDim],
    ["convention of time", manifest.conventions.time, CONVENTIONS.time],
    ["convention of velocity", manifest.conventions.velocity, CONVENTIONS.velocity],
    ["convention of noise", manifest.conventions.noise, CONVENTIONS.noise],
  ];
  const differing = facts.filter(([, theirs, mine]) => theirs !== mine);
  if (differing.length === 0) return;
  const short = (value: unknown): string =>
    /^[0-9a-f]{64}$/.test(String(value)) ? String(value).slice(0, 12) : String(value);
  throw new CheckpointError(
    `--reflow.pairs: ${folder} was not made for this run. What differs (in the set; in the run):\n` +
      differing.map(([what, theirs, mine]) => `  - ${what}: ${short(theirs)}; ${short(mine)}`).join("\n") +
      "\nMake a new set with `reflow pairs`, or give the teacher, dataset and settings that it was made with",
  );
}

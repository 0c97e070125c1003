/** From the settings of `reflow pairs` to a pair set on disk. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { readDatasetMetadata } from "../../data/index.js";
import { measureAgreement } from "../../eval/index.js";
import { gridByName, solverByName } from "../../flow/index.js";
import { findPolicyFolder } from "../../policy/find-policy-folder.js";
import { withRenameMap } from "../../policy/processors/override-pipeline.js";
import { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import type { BatchPlan } from "../batch-source.js";
import { checkFeatures } from "../check-features.js";
import { openBatches } from "../prefetched-batches.js";
import { findDataset, type RunData } from "../run-data.js";
import { describePairs } from "./describe-pairs.js";
import { openPairFolder, type PairFolder } from "./pair-folder.js";
import { PairMaker } from "./pair-maker.js";
import { type PairManifest, placesOfShard } from "./pair-manifest.js";
import { PairSet } from "./pair-set.js";
import { joinShard, type ShardArrays } from "./pair-shard.js";
import type { PairsConfig } from "./pairs-config.js";

export interface MakePairsOptions {
  /** name and version of the program, for the manifest */
  readonly program: string;
  /** asks to stop after the batch in the making; its shard is made anew the next time */
  readonly signal?: AbortSignal | undefined;
  /** told what a user should know before it begins */
  readonly onWarning?: (message: string) => void;
}

/** What is known of a finished set. */
export interface PairSummary {
  /** of noise and actions, over the robot's dimensions */
  readonly meanDistance: number;
  readonly largestDistance: number;
  /**
   * Root mean square change of the actions when the solver takes twice the steps, divided by their spread over noises, on a
   * few frames; undefined if the actions do not depend on the noise.
   */
  readonly changeAtTwiceTheSteps: number | undefined;
}

export type PairEvent =
  | {
      readonly kind: "start";
      readonly manifest: PairManifest;
      readonly device: string;
      /** frames whose pairs are there already */
      readonly numDone: number;
      readonly numMissingShards: number;
    }
  | { readonly kind: "progress"; readonly numDone: number }
  | { readonly kind: "shard"; readonly shard: number; readonly numDone: number }
  | { readonly kind: "interrupted"; readonly numDone: number }
  | { readonly kind: "end"; readonly summary: PairSummary };

/** Frames and noises on which the solver is compared with itself at twice the steps. */
const CHECKED = { numFrames: 8, numNoises: 8 } as const;

/**
 * Makes a pair set, or what is missing of it. Which frames are solved together depends on the settings alone, not on where
 * an earlier attempt stopped, so on a CPU a set that was continued has the bytes of one that was not.
 *
 * @throws an error of `support/errors.ts` saying what does not fit or cannot be written; finished shards stay
 */
export async function* makePairs(
  config: PairsConfig,
  { program, signal, onWarning = () => {} }: MakePairsOptions,
): AsyncGenerator<PairEvent, void, undefined> {
  const folder = await openPairFolder(config.output);
  try {
    const source = await findDataset(config);
    const metadata = await readDatasetMetadata(source.root, source.repoId);
    const teacherFolder = await findPolicyFolder(config.teacherPath);
    const { device, precision } = config;
    const teacher = await SmolVLAPolicy.load(
      teacherFolder,
      device === undefined ? { precision } : { precision, device },
    );
    try {
      for (const warning of [...teacher.warnings, ...checkFeatures(metadata, teacher.config, config.renameMap)]) {
        onWarning(warning);
      }
      const sources = { config, dataset: source, metadata, teacher, teacherFolder, program };
      const manifest = await describePairs(sources);
      yield* fill(folder, { config, source, teacher, manifest, signal });
    } finally {
      teacher.dispose();
    }
  } finally {
    folder.release();
  }
}

interface Work {
  readonly config: PairsConfig;
  readonly source: RunData["source"];
  readonly teacher: SmolVLAPolicy;
  readonly manifest: PairManifest;
  readonly signal: AbortSignal | undefined;
}

/** A batch to be made: places in the order of the set's frames, and the shard they belong to. */
interface Portion {
  readonly shard: number;
  readonly places: readonly number[];
  readonly isLast: boolean;
}

async function* fill(folder: PairFolder, work: Work): AsyncGenerator<PairEvent, void, undefined> {
  const { config, manifest, teacher, signal } = work;
  const missing = await folder.begin(manifest, config.overwrite);
  const numFramesOf = (shards: readonly number[]): number =>
    shards.reduce((n, shard) => n + placesOfShard(manifest, shard).numFrames, 0);
  let numDone = manifest.frames.length - numFramesOf(missing);
  yield { kind: "start", manifest, device: teacher.device, numDone, numMissingShards: missing.length };
  const maker = makerOf(work);
  const portions = missing.flatMap((shard) => portionsOf(manifest, shard, config.batchSize));
  const batches = await openBatches(planOf(work, portions), config.numWorkers, portions.length);
  try {
    let parts: ShardArrays[] = [];
    for (const [step, { shard, places, isLast }] of portions.entries()) {
      parts.push(maker.make(await batches.next(step), manifest.numNoises));
      numDone += places.length;
      if (isLast) {
        await folder.write(shard, joinShard(parts));
        parts = [];
        yield { kind: "shard", shard, numDone };
      } else {
        yield { kind: "progress", numDone };
      }
      await nextTurn(); // signals arrive here
      if (signal?.aborted && step + 1 < portions.length) {
        const numUnfinished = isLast ? 0 : parts.reduce((n, { distance }) => n + distance.shape[0]!, 0);
        yield { kind: "interrupted", numDone: numDone - numUnfinished };
        return;
      }
    }
  } finally {
    await batches.close();
  }
  yield { kind: "end", summary: await summarize(folder.path, work, maker) };
}

const makerOf = ({ config, teacher }: Work): PairMaker =>
  new PairMaker({
    teacher,
    solver: solverByName(config.teacherSolver),
    grid: gridByName(config.teacherGrid),
    numSteps: config.numSteps,
    paddedDims: config.paddedDims,
    seed: config.seed,
  });

function portionsOf(manifest: PairManifest, shard: number, batchSize: number): Portion[] {
  const { first, numFrames } = placesOfShard(manifest, shard);
  return Array.from({ length: Math.ceil(numFrames / batchSize) }, (_, i) => {
    const start = i * batchSize;
    const length = Math.min(batchSize, numFrames - start);
    return {
      shard,
      places: Array.from({ length }, (_, j) => first + start + j),
      isLast: start + length === numFrames,
    };
  });
}

const planOf = ({ config, source, teacher }: Work, portions: readonly Pick<Portion, "places">[]): BatchPlan => ({
  dataset: source,
  preprocessor: withRenameMap(teacher.processors.preprocessor, config.renameMap),
  tokenizerFolder: teacher.tokenizerFolder,
  batchSize: config.batchSize,
  seed: config.seed,
  items: portions.map(({ places }) => places),
});

async function summarize(path: string, work: Work, maker: PairMaker): Promise<PairSummary> {
  const { manifest } = work;
  const pairs = await PairSet.read(path, manifest);
  try {
    const distances = pairs.distances(manifest.frames);
    return {
      meanDistance: distances.reduce((sum, distance) => sum + distance, 0) / distances.length,
      largestDistance: distances.reduce((largest, distance) => Math.max(largest, distance), 0),
      changeAtTwiceTheSteps: await changeAtTwiceTheSteps(work, maker),
    };
  } finally {
    pairs.dispose();
  }
}

/** See `PairSummary`. The share of the spread that is not explained is the square of what is asked for. */
async function changeAtTwiceTheSteps(work: Work, maker: PairMaker): Promise<number | undefined> {
  const { frames } = work.manifest;
  const numFrames = Math.min(CHECKED.numFrames, frames.length);
  const places = Array.from({ length: numFrames }, (_, i) => Math.floor(((i + 0.5) * frames.length) / numFrames));
  const batches = await openBatches(planOf(work, [{ places }]), 0, 1);
  try {
    const { once, twice } = maker.makeAtTwice(await batches.next(0), CHECKED.numNoises);
    const { noiseExplained } = measureAgreement(once, twice);
    return noiseExplained === undefined ? undefined : Math.sqrt(1 - noiseExplained);
  } finally {
    await batches.close();
  }
}

/** Bytes of a set's shards, but for their headers. */
export const numBytesOf = ({ frames, numNoises, chunkSize, maxActionDim }: PairManifest): number =>
  frames.length * numNoises * (2 * chunkSize * maxActionDim + 1) * Float32Array.BYTES_PER_ELEMENT;

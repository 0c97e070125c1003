/** What a pair set will be, before its first pair is made. */
import { resolve } from "node:path";
import { type DatasetMetadata, LeRobotDataset, type LeRobotDatasetOptions } from "../../data/index.js";
import { readProvenance } from "../../policy/provenance.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { weightsHash } from "../run-provenance.js";
import type { PairManifest } from "./pair-manifest.js";
import { pairFacts } from "./pair-requirements.js";
import type { PairsConfig } from "./pairs-config.js";

export interface PairSources {
  readonly config: PairsConfig;
  readonly dataset: LeRobotDatasetOptions;
  readonly metadata: DatasetMetadata;
  readonly teacher: SmolVLAPolicy;
  readonly teacherFolder: string;
  /** name and version of the program */
  readonly program: string;
}

export async function describePairs(sources: PairSources): Promise<PairManifest> {
  const { config, dataset, metadata, teacher, teacherFolder, program } = sources;
  const { numSteps, paddedDims, precision, seed, numNoises, framesPerShard } = config;
  return {
    format: 1,
    program,
    ...pairFacts(teacher, config.renameMap),
    teacher: {
      path: resolve(teacherFolder),
      weightsSha256: await weightsHash(teacherFolder),
      k: (await readProvenance(teacherFolder))?.k ?? 1,
    },
    dataset: { repoId: config.dataset.repoId ?? null, contentHash: metadata.contentHash },
    solver: config.teacherSolver,
    grid: config.teacherGrid,
    numSteps,
    paddedDims,
    precision,
    seed,
    numNoises,
    ...(await framesOf(dataset)),
    framesPerShard,
  };
}

/** The number and the task of each frame, in the order of the dataset's items. */
async function framesOf(
  source: LeRobotDatasetOptions,
): Promise<{ readonly frames: number[]; readonly taskIndices: number[] }> {
  await using dataset = await LeRobotDataset.open({ ...source, cameras: "skip" });
  const [frames, taskIndices]: [number[], number[]] = [[], []];
  for await (const { arrays } of dataset) {
    frames.push(Number(arrays.index!.data[0]));
    taskIndices.push(Number(arrays.task_index!.data[0]));
  }
  return { frames, taskIndices };
}

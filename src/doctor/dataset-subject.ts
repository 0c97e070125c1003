/** The dataset of an examination, read as far as it can be. */
import { type DatasetMetadata, LeRobotDataset, readDatasetMetadata } from "../data/index.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { isUserError, messageOf } from "../support/errors.js";
import { sampleObservations } from "../train/held-out.js";
import { findDataset } from "../train/run-data.js";

export interface DatasetRequest {
  readonly root?: string | undefined;
  readonly repoId?: string | undefined;
  readonly revision?: string | undefined;
  readonly episodes?: readonly number[] | undefined;
}

export interface DatasetSubject {
  readonly name: string;
  /** dataset name -> policy name */
  readonly renameMap: Readonly<Record<string, string>>;
  /** undefined if it cannot be read */
  readonly metadata: DatasetMetadata | undefined;
  /** some frames, each with a demonstrated chunk, under the policy's names; undefined if they cannot be read */
  readonly observations: ProcessorBatch | undefined;
  readonly problem: string | undefined;
}

export interface ReadOptions {
  readonly renameMap: Readonly<Record<string, string>>;
  readonly numObservations: number;
  /** undefined if the policy does not say */
  readonly chunkSize: number | undefined;
}

/** LeRobot's own, in seconds. */
const TOLERANCE_S = 1e-4;

/** Reads a dataset's metadata and some of its frames; what is wrong with it becomes its problem, not an error. */
export async function openDatasetSubject(request: DatasetRequest, options: ReadOptions): Promise<DatasetSubject> {
  const { renameMap, numObservations, chunkSize } = options;
  const { root, repoId, revision, episodes } = request;
  const name = root ?? repoId ?? "";
  let metadata: DatasetMetadata | undefined;
  try {
    const source = await findDataset({ dataset: { root, repoId, revision, episodes }, toleranceS: TOLERANCE_S });
    metadata = await readDatasetMetadata(source.root, source.repoId);
    await using dataset = await LeRobotDataset.open({ ...source, ...(chunkSize ? { chunkSize } : {}) });
    const observations = await sampleObservations(dataset, numObservations, renameMap);
    return { name, renameMap, metadata, observations, problem: undefined };
  } catch (error) {
    if (!isUserError(error)) throw error;
    return { name, renameMap, metadata, observations: undefined, problem: messageOf(error) };
  }
}

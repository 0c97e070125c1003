import { z } from "zod";
import { ConfigError } from "../../support/errors.js";
import { parseWithSchema } from "../../support/parse-with-schema.js";
import { camelKeys, camelSection } from "../config-keys.js";
import { REFLOW, TRAIN_SCHEMA } from "../config-schema.js";

const { dataset, policy, batch_size, num_workers, precision, rename_map, tolerance_s, overwrite } = TRAIN_SCHEMA.shape;
const count = z.int().min(1);
const text = z.string().min(1);

/** Pairs of one shard, if it is not told: 13 MB of them at 50 actions of 32 dimensions. */
const PAIRS_PER_SHARD = 1024;

/** The settings of `reflow pairs`: those of a training run that matter for pairs, and a few of its own. */
const PAIRS_SCHEMA = z.strictObject({
  policy: policy
    .unwrap()
    .pick({ device: true, reflow_num_inference_steps: true })
    .extend({ path: text.nullable().default(null) })
    .prefault({}),
  dataset: dataset.unwrap().pick({ repo_id: true, root: true, episodes: true, revision: true }).prefault({}),
  reflow: REFLOW.pick({ teacher_solver: true, teacher_grid: true, padded_dims: true }).prefault({}),
  output: text.nullable().default(null),
  num_noises_per_observation: count.default(8),
  frames_per_shard: count.nullable().default(null),
  seed: z.int().min(0).default(1000),
  batch_size,
  num_workers,
  precision,
  rename_map,
  tolerance_s,
  overwrite,
});

/** What pairs shall be made, and how. */
export interface PairsConfig {
  /** the teacher: folder or Hub id */
  readonly teacherPath: string;
  /** undefined for the best there is */
  readonly device: string | undefined;
  readonly precision: "fp32" | "bf16";
  readonly dataset: {
    readonly repoId: string | undefined;
    readonly root: string | undefined;
    /** undefined for all */
    readonly episodes: readonly number[] | undefined;
    readonly revision: string | undefined;
  };
  readonly renameMap: Readonly<Record<string, string>>;
  /** how far a video frame may be from the time that was asked for, in seconds */
  readonly toleranceS: number;
  readonly teacherSolver: "euler" | "midpoint" | "heun" | "rk4";
  readonly teacherGrid: "uniform" | "data_dense";
  /** solver steps */
  readonly numSteps: number;
  readonly paddedDims: "teacher" | "zero" | "mask";
  /** K, pairs of each frame */
  readonly numNoises: number;
  readonly framesPerShard: number;
  readonly seed: number;
  readonly batchSize: number;
  readonly numWorkers: number;
  /** the set's folder */
  readonly output: string;
  /** whether a set that `output` holds is replaced */
  readonly overwrite: boolean;
}

const WHERE = "pairs";

/**
 * The settings of `reflow pairs` from nested ones as the command line gives them.
 *
 * @throws ConfigError with everything that is wrong or missing
 */
export function parsePairsConfig(raw: unknown): PairsConfig {
  const json = parseWithSchema(PAIRS_SCHEMA, raw, WHERE);
  const { path } = json.policy;
  const { output } = json;
  const problems = [
    ...(path === null
      ? [{ path: "policy.path", message: "expected the teacher's folder or Hub id, got nothing" }]
      : []),
    ...(output === null ? [{ path: "output", message: "expected the set's folder, got nothing" }] : []),
    ...(json.dataset.repo_id === null && json.dataset.root === null
      ? [{ path: "dataset", message: "expected dataset.repo_id (a Hub id) or dataset.root (a folder), got neither" }]
      : []),
  ];
  if (path === null || output === null || problems.length > 0) throw new ConfigError(WHERE, problems);
  const numNoises = json.num_noises_per_observation;
  return {
    ...camelKeys({
      precision: json.precision,
      rename_map: json.rename_map,
      tolerance_s: json.tolerance_s,
      seed: json.seed,
      batch_size: json.batch_size,
      num_workers: json.num_workers,
      overwrite: json.overwrite,
    }),
    ...camelSection(json.reflow),
    teacherPath: path,
    device: json.policy.device ?? undefined,
    numSteps: json.policy.reflow_num_inference_steps,
    dataset: camelSection(json.dataset),
    numNoises,
    framesPerShard: json.frames_per_shard ?? Math.ceil(PAIRS_PER_SHARD / numNoises),
    output,
  };
}

import type { DatasetMetadata } from "../../data/index.js";
import { withRenameMap } from "../../policy/processors/override-pipeline.js";
import { processorsHash } from "../../policy/processors/processors-hash.js";
import { statisticsHash } from "../../policy/processors/statistics.js";
import { CONVENTIONS } from "../../policy/provenance.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { actionDim } from "../../smolvla/config.js";
import { CheckpointError } from "../../support/errors.js";
import type { PairManifest } from "./pair-manifest.js";

/** What of a set's provenance must be the same in a run that learns from it. */
export type PairRequirements = Pick<
  PairManifest,
  "conventions" | "statisticsSha256" | "processorsSha256" | "paddedDims" | "chunkSize" | "maxActionDim" | "actionDim"
> & {
  readonly teacher: Pick<PairManifest["teacher"], "weightsSha256">;
  readonly dataset: Pick<PairManifest["dataset"], "contentHash">;
};

/**
 * Of those, what the teacher and the names of observations say.
 *
 * @param renameMap names of observations in the dataset to the policy's
 */
export const pairFacts = (
  { processors: { preprocessor, postprocessor }, config }: SmolVLAPolicy,
  renameMap: Readonly<Record<string, string>>,
) => ({
  conventions: CONVENTIONS,
  statisticsSha256: statisticsHash([preprocessor, postprocessor]),
  processorsSha256: processorsHash({ preprocessor: withRenameMap(preprocessor, renameMap), postprocessor }),
  chunkSize: config.chunkSize,
  maxActionDim: config.maxActionDim,
  actionDim: actionDim(config),
});

/** The numbers of a dataset's frames, or of those of some episodes, in the dataset's order. */
export function framesOf(dataset: DatasetMetadata, episodes: readonly number[] | undefined): readonly number[] {
  const chosen = episodes && new Set(episodes);
  return dataset.episodes
    .filter(({ index }) => chosen?.has(index) ?? true)
    .sort((a, b) => a.from - b.from)
    .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i));
}

type Fact<T> = readonly [what: string, of: (set: T) => unknown];

const RUN_FACTS: readonly Fact<PairRequirements>[] = [
  ["teacher's weights", ({ teacher }) => teacher.weightsSha256],
  ["teacher's statistics", (set) => set.statisticsSha256],
  ["processors, --rename_map included", (set) => set.processorsSha256],
  ["dataset", ({ dataset }) => dataset.contentHash],
  ["--reflow.padded_dims", (set) => set.paddedDims],
  ["chunk_size", (set) => set.chunkSize],
  ["max_action_dim", (set) => set.maxActionDim],
  ["action dimensions", (set) => set.actionDim],
  ["convention of time", ({ conventions }) => conventions.time],
  ["convention of velocity", ({ conventions }) => conventions.velocity],
  ["convention of noise", ({ conventions }) => conventions.noise],
];

const SET_FACTS: readonly Fact<PairManifest>[] = [
  ...RUN_FACTS,
  ["--policy.reflow_num_inference_steps", (set) => set.numSteps],
  ["--reflow.teacher_solver", (set) => set.solver],
  ["--reflow.teacher_grid", (set) => set.grid],
  ["--precision", (set) => set.precision],
  ["--seed", (set) => set.seed],
  ["--num_noises_per_observation", (set) => set.numNoises],
  ["--frames_per_shard", (set) => set.framesPerShard],
  ["frames (--dataset.episodes)", (set) => set.frames],
  ["tasks of the frames", (set) => set.taskIndices],
];

const SHORT_HASH = 12;

/** A value as a message shows it. */
function show(value: unknown): string {
  if (Array.isArray(value))
    return value.length < 9 ? `[${value.join(", ")}]` : `${value.length}, ${value[0]} to ${value.at(-1)}`;
  const text = String(value);
  return /^[0-9a-f]{64}$/.test(text) ? text.slice(0, SHORT_HASH) : text;
}

/** What differs, one line each. */
const differences = <T>(facts: readonly Fact<T>[], theirs: T, mine: T): readonly string[] =>
  facts.flatMap(([what, of]) => {
    const [a, b] = [of(theirs), of(mine)];
    return JSON.stringify(a) === JSON.stringify(b) ? [] : [`  - ${what}: ${show(a)}; ${show(b)}`];
  });

/** @throws CheckpointError naming everything about which a set and the run that shall learn from it differ */
export function expectMatchingPairs(folder: string, manifest: PairManifest, wanted: PairRequirements): void {
  const differing = differences(RUN_FACTS, manifest, wanted);
  if (differing.length === 0) return;
  throw new CheckpointError(
    `--reflow.pairs: ${folder} was not made for this run. What differs (in the set; in the run):\n${differing.join("\n")}\n` +
      "Make a new set with `reflow pairs`, or give the teacher, dataset and settings that it was made with",
  );
}

/** @throws CheckpointError naming everything about which a set and the command that shall continue it differ */
export function expectSameSet(folder: string, manifest: PairManifest, wanted: PairManifest): void {
  const differing = differences(SET_FACTS, manifest, wanted);
  if (differing.length === 0) return;
  throw new CheckpointError(
    `pairs: ${folder} holds another set. What differs (in the set; in this command):\n${differing.join("\n")}\n` +
      "Give the settings that it was made with to continue it, --overwrite=true to replace it, or another --output",
  );
}

/**
 * The gate before step 1: a loss that falls says nothing about a policy whose normalisation is missing or whose files
 * mean something else than its memory. So the untouched student is saved, loaded again and run as it will be deployed,
 * and must do what its teacher does.
 */
import { rm } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { sampleNoise } from "../flow/index.js";
import { missingStatistics } from "../policy/processors/missing-statistics.js";
import type { ProcessorPipelines } from "../policy/processors/pipeline.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { statisticsHash } from "../policy/processors/statistics.js";
import { type Prediction, SmolVLAPolicy } from "../policy/smolvla-policy.js";
import type { SmolVLAConfig } from "../smolvla/config.js";
import { CheckpointError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { abs, Generator, max, noGrad, scope, sub, type Tensor, toDtype } from "../torch/index.js";

/** Settings in which a student may differ from its teacher without acting differently at an equal number of steps. */
const MAY_DIFFER: ReadonlySet<string> = new Set([
  ...["device", "pushToHub", "repoId", "private", "tags", "license", "pretrainedPath", "pretrainedRevision"],
  ...["freezeVisionEncoder", "trainExpertOnly", "trainStateProj", "loadVlmWeights", "openSettings", "usePeft"],
  ...["optimizerLr", "optimizerBetas", "optimizerEps", "optimizerWeightDecay", "optimizerGradClipNorm"],
  ...["schedulerWarmupSteps", "schedulerDecaySteps", "schedulerDecayLr", "numSteps", "nActionSteps"],
  ...["useAmp", "rtcConfig", "compileModel", "compileMode", "vlmModelName"],
]);

/**
 * Equal to the rounding of float32: the same arithmetic on the same numbers, which may lie differently in memory and then
 * takes other paths through vectorised kernels.
 */
const RELATIVE_TOLERANCE = 1e-5;

export interface GateOptions {
  /** what the student must equal: its teacher, or itself as it stands in memory */
  readonly reference: SmolVLAPolicy;
  readonly student: SmolVLAPolicy;
  /** writes the student as a checkpoint would */
  readonly writeStudent: (folder: string) => Promise<void>;
  /** a raw observation, in the dataset's names and units */
  readonly observation: ProcessorBatch;
  /** where the student may be written; removed afterwards */
  readonly scratchFolder: string;
  readonly seed: number;
}

/** @throws CheckpointError naming the statistics that are missing, or the parts of the student that differ */
export async function checkStepZero(options: GateOptions): Promise<void> {
  const { reference, scratchFolder } = options;
  checkStatistics(reference.processors, reference.config, "teacher");
  try {
    await options.writeStudent(scratchFolder);
    const reloaded = await SmolVLAPolicy.load(scratchFolder, {
      device: reference.device,
      precision: reference.precision,
      besides: reference.resourceFolders,
    });
    try {
      checkStatistics(reloaded.processors, reloaded.config, "saved student");
      compare(reference, reloaded, options);
    } finally {
      reloaded.dispose();
    }
  } finally {
    await rm(scratchFolder, { recursive: true, force: true });
  }
}

function checkStatistics(processors: ProcessorPipelines, config: SmolVLAConfig, whose: string): void {
  const missing = [processors.preprocessor, processors.postprocessor].flatMap((p) => missingStatistics(p, config));
  if (missing.length === 0) return;
  const list = missing.map(({ feature, mode, stat, where }) => `  - ${feature}.${stat} for ${mode} in ${where}`);
  throw new CheckpointError(
    `step-0 gate: the ${whose}'s processors have no statistics for features that its config.json normalises:\n${list.join("\n")}\n` +
      "Such a policy reads raw states and sends normalised actions to the robot. Give a policy folder saved after training, " +
      "with its normalizer and unnormalizer files",
  );
}

function compare(reference: SmolVLAPolicy, reloaded: SmolVLAPolicy, { observation, seed }: GateOptions): void {
  const { config } = reference;
  const rows = observation.tasks.length;
  const noise = scope(() => {
    using generator = new Generator(seed);
    return sampleNoise([rows, config.chunkSize, config.maxActionDim], generator).toHost();
  });
  const options = { noise, numSteps: config.numSteps };
  const expected = reference.predict(observation, options);
  const actual = reloaded.predict(observation, options);
  const worst = Math.max(
    ...(["chunk", "robotChunk"] as const).map((part) => relativeDifference(expected, actual, part)),
  );
  if (worst <= RELATIVE_TOLERANCE) return;
  const parts = differingParts(reference, reloaded);
  throw new CheckpointError(
    `step-0 gate: the untouched student, saved and loaded again, does not act as its teacher on equal noise (largest difference ` +
      `${worst.toExponential(1)} of the largest action). What differs: ${parts.length > 0 ? parts.join("; ") : "none of configuration, processors, statistics and weights, so the computation itself"}`,
  );
}

function relativeDifference(expected: Prediction, actual: Prediction, part: keyof Prediction): number {
  const [a, b] = [expected[part], actual[part]].map((array: HostArray) => array.data as Float32Array) as [
    Float32Array,
    Float32Array,
  ];
  let [largest, difference] = [0, 0];
  for (const [i, value] of a.entries()) {
    largest = Math.max(largest, Math.abs(value));
    const apart = Math.abs(value - b[i]!);
    if (!(apart <= difference)) difference = apart; // a NaN stays
  }
  return difference === 0 ? 0 : difference / Math.max(largest, Number.MIN_VALUE);
}

function differingParts(reference: SmolVLAPolicy, student: SmolVLAPolicy): string[] {
  const parts: string[] = [];
  const [a, b] = [reference.config, student.config] as unknown as [Record<string, unknown>, Record<string, unknown>];
  for (const key of Object.keys(a)) {
    if (!MAY_DIFFER.has(key) && !isDeepStrictEqual(a[key], b[key])) {
      parts.push(`config ${key} (${JSON.stringify(a[key])} and ${JSON.stringify(b[key])})`);
    }
  }
  for (const name of ["preprocessor", "postprocessor"] as const) {
    const [mine, theirs] = [reference.processors[name], student.processors[name]];
    if (statisticsHash([mine]) !== statisticsHash([theirs])) parts.push(`statistics of the ${name}`);
    else if (!isDeepStrictEqual(mine, theirs)) parts.push(`steps of the ${name}`);
  }
  const weights = differingWeights(reference, student);
  if (weights.length > 0) parts.push(`${weights.length} weights (first: ${weights[0]})`);
  return parts;
}

function differingWeights(reference: SmolVLAPolicy, student: SmolVLAPolicy): string[] {
  const theirs = new Map(student.model.namedParameters());
  const differs = (mine: Tensor, other: Tensor | undefined): boolean =>
    other === undefined ||
    noGrad(() => scope(() => max(abs(sub(toDtype(mine, "float32"), toDtype(other, "float32")))).item())) !== 0;
  return Array.from(reference.model.namedParameters())
    .filter(([name, mine]) => differs(mine, theirs.get(name)))
    .map(([name]) => name);
}

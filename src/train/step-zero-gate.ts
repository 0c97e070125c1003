/**
 * The gate before step 1: a loss that falls says nothing about a policy whose normalisation is missing or whose files
 * mean something else than its memory. So the untouched student is saved, loaded again and run as it will be deployed,
 * and must be and do what its teacher is and does.
 */
import { rm } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { sampleNoise } from "../flow/index.js";
import type { ProcessorPipeline } from "../policy/processors/pipeline.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { statisticsHash } from "../policy/processors/statistics.js";
import { stepConfigJson } from "../policy/processors/step-json.js";
import { type Prediction, SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { toSmolVLAJson } from "../smolvla/config.js";
import { CheckpointError, messageOf } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { abs, Generator, max, noGrad, scope, sub, type Tensor, toDtype } from "../torch/index.js";
import { mayDifferFromTeacher } from "./config-policy-fields.js";
import { expectStatistics } from "./expect-statistics.js";

/**
 * Equal to the rounding of float32: the same arithmetic on the same numbers, which may lie differently in memory and then
 * takes other paths through vectorised kernels.
 */
const RELATIVE_TOLERANCE = 1e-5;

export interface GateOptions {
  /** what the student must equal: its teacher, or itself as it stands in memory */
  readonly reference: SmolVLAPolicy;
  /** writes the student as a checkpoint would */
  readonly writeStudent: (folder: string) => Promise<void>;
  /** a raw observation, in the dataset's units under the policy's names */
  readonly observation: ProcessorBatch;
  /** where the student may be written; removed afterwards */
  readonly scratchFolder: string;
  readonly seed: number;
}

/** @throws CheckpointError naming the statistics that are missing, or the parts of the student that differ */
export async function checkStepZero(options: GateOptions): Promise<void> {
  const { reference, observation, scratchFolder } = options;
  expectStatistics(reference, "step-0 gate", "policy to start from");
  const noise = drawNoise(reference, observation.tasks.length, options.seed);
  const act = (policy: SmolVLAPolicy): Prediction =>
    policy.predict(observation, { noise, numSteps: reference.config.numSteps });
  const expected = act(reference);
  expectFinite(expected);
  try {
    const reloaded = await saveAndLoad(options);
    try {
      expectStatistics(reloaded, "step-0 gate", "saved student");
      expectSameParts(reference, reloaded);
      expectSameActions(expected, act(reloaded));
    } finally {
      reloaded.dispose();
    }
  } finally {
    await rm(scratchFolder, { recursive: true, force: true });
  }
}

function drawNoise({ config }: SmolVLAPolicy, numRows: number, seed: number): HostArray {
  return scope(() => {
    using generator = new Generator(seed);
    return sampleNoise([numRows, config.chunkSize, config.maxActionDim], generator).toHost();
  });
}

const entriesOf = (array: HostArray): Float32Array => array.data as Float32Array;

function expectFinite({ robotChunk }: Prediction): void {
  if (entriesOf(robotChunk).every(Number.isFinite)) return;
  throw new CheckpointError(
    "step-0 gate: expected finite actions from the policy to start from, got NaN or infinity. Look for them in its weights, " +
      "and in the states of the dataset's first and middle frame",
  );
}

async function saveAndLoad({ reference, writeStudent, scratchFolder }: GateOptions): Promise<SmolVLAPolicy> {
  try {
    await writeStudent(scratchFolder);
    return await SmolVLAPolicy.load(scratchFolder, {
      device: reference.device,
      precision: reference.precision,
      besides: reference.resourceFolders,
    });
  } catch (error) {
    throw new CheckpointError(
      `step-0 gate: the student cannot be saved and loaded again: ${messageOf(error)} (in ${scratchFolder})`,
      { cause: error },
    );
  }
}

function expectSameParts(reference: SmolVLAPolicy, student: SmolVLAPolicy): void {
  const parts = [
    ...differingSettings(reference, student),
    ...differingProcessors(reference, student),
    ...differingWeights(reference, student),
  ];
  if (parts.length === 0) return;
  throw new CheckpointError(
    `step-0 gate: the untouched student, saved and loaded again, is not the policy it started from. What differs: ${parts.join("; ")}`,
  );
}

function differingSettings(reference: SmolVLAPolicy, student: SmolVLAPolicy): string[] {
  const [a, b] = [reference, student].map(({ config }) => JSON.parse(toSmolVLAJson(config))) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ];
  return Object.keys(a)
    .filter((name) => !mayDifferFromTeacher(name) && !isDeepStrictEqual(a[name], b[name]))
    .map((name) => `${name} of config.json (${JSON.stringify(a[name])} and ${JSON.stringify(b[name])})`);
}

function differingProcessors(reference: SmolVLAPolicy, student: SmolVLAPolicy): string[] {
  return (["preprocessor", "postprocessor"] as const).flatMap((name) => {
    const [mine, theirs] = [reference.processors[name], student.processors[name]];
    if (statisticsHash([mine]) !== statisticsHash([theirs])) return [`statistics of the ${name}`];
    return isDeepStrictEqual(writtenSteps(mine), writtenSteps(theirs)) ? [] : [`steps of the ${name}`];
  });
}

const writtenSteps = ({ steps }: ProcessorPipeline): unknown =>
  steps.map((step) => ({ kind: step.kind, config: stepConfigJson(step) }));

function differingWeights(reference: SmolVLAPolicy, student: SmolVLAPolicy): string[] {
  const theirs = new Map(student.model.namedParameters());
  const isDifferent = (mine: Tensor, other: Tensor): boolean =>
    noGrad(() => scope(() => max(abs(sub(toDtype(mine, "float32"), toDtype(other, "float32")))).item())) !== 0;
  const names = Array.from(reference.model.namedParameters())
    .filter(([name]) => theirs.has(name)) // an adapter's corrections are merged when they are saved
    .filter(([name, mine]) => isDifferent(mine, theirs.get(name)!))
    .map(([name]) => name);
  return names.length === 0 ? [] : [`${names.length} weights (first: ${names[0]})`];
}

function expectSameActions(expected: Prediction, actual: Prediction): void {
  const worst = Math.max(
    relativeDifference(expected.chunk, actual.chunk),
    relativeDifference(expected.robotChunk, actual.robotChunk),
  );
  if (worst <= RELATIVE_TOLERANCE) return;
  throw new CheckpointError(
    "step-0 gate: the untouched student, saved and loaded again, does not act as the policy it started from on equal noise " +
      `(largest difference ${worst.toExponential(1)} of the largest action), although configuration, processors and weights ` +
      "are equal. The computation itself differs; please report this",
  );
}

/** The largest difference of entries, as a part of the largest entry; NaN if there is one. */
function relativeDifference(expected: HostArray, actual: HostArray): number {
  const others = entriesOf(actual);
  const largest = entriesOf(expected).reduce((size, value) => Math.max(size, Math.abs(value)), 0);
  const difference = entriesOf(expected).reduce((size, value, i) => Math.max(size, Math.abs(value - others[i]!)), 0);
  return difference === 0 ? 0 : difference / largest;
}

/**
 * Agreement of policies with a reference policy at several numbers of solver steps: same observations, same noises.
 *
 * Letters: `O` observations, `K` noises for each, `A` action steps, `M` real action dimensions.
 */
import { euler, sampleNoise, solve } from "../flow/index.js";
import { cropActions } from "../policy/model-input.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { actionDim } from "../smolvla/config.js";
import { repeatPrefix } from "../smolvla/repeat-prefix.js";
import { ConfigError, ShapeError } from "../support/errors.js";
import { type HostArray, hostArray, numElements } from "../support/host-array.js";
import { Generator, noGrad, scope, slice, type Tensor, toDevice } from "../torch/index.js";
import { type Agreement, measureAgreement } from "./agreement.js";

export interface AgreementRequest {
  /** whose well-solved flow counts as the truth: the teacher, or a policy itself for its own solver error */
  readonly reference: SmolVLAPolicy;
  /** the reference's own few-step samples belong here too, as the baseline of the others */
  readonly candidates: readonly { readonly name: string; readonly policy: SmolVLAPolicy }[];
  /** raw, O rows in every array that starts with "observation."; one task per row */
  readonly observations: ProcessorBatch;
  /** K, at least 2; with fewer than 16 `noiseExplained` is coarse */
  readonly numNoises: number;
  /** Euler steps of the candidates */
  readonly numStepsList: readonly number[];
  /** Euler steps of the reference; 100 if left out */
  readonly numReferenceSteps?: number;
  /** of the noises */
  readonly seed: number;
  /** how many chunks are sampled at once, at least those of one observation; 64 if left out */
  readonly batchSize?: number;
  /** called whenever some observations are done */
  readonly onProgress?: (numDone: number, numObservations: number) => void;
}

export interface AgreementRow extends Agreement {
  /** the candidate's */
  readonly name: string;
  readonly numSteps: number;
}

const DEFAULT_REFERENCE_STEPS = 100;
const DEFAULT_BATCH_SIZE = 64;

/**
 * One row per candidate and number of steps, in normalised units over the real action dimensions. Every policy encodes
 * every observation once.
 *
 * @throws ConfigError for numbers that make no sense, and for policies whose chunks cannot be compared
 * @throws ShapeError for observations that do not have one row per task
 */
export function agreementTable(request: AgreementRequest): AgreementRow[] {
  checkRequest(request);
  const { reference, candidates, observations, numNoises, numStepsList, onProgress } = request;
  const numReferenceSteps = request.numReferenceSteps ?? DEFAULT_REFERENCE_STEPS;
  const numObservations = observations.tasks.length;
  const collected = new Map<SmolVLAPolicy, Map<number, Float32Array[]>>();
  const want = (policy: SmolVLAPolicy, numSteps: number): void => {
    if (!collected.has(policy)) collected.set(policy, new Map());
    collected.get(policy)!.set(numSteps, []);
  };
  want(reference, numReferenceSteps);
  for (const { policy } of candidates) for (const numSteps of numStepsList) want(policy, numSteps);

  scope(() => {
    const { chunkSize, maxActionDim } = reference.config;
    using generator = new Generator(request.seed);
    const noise = sampleNoise([numObservations * numNoises, chunkSize, maxActionDim], generator);
    const groupSize = Math.max(1, Math.floor((request.batchSize ?? DEFAULT_BATCH_SIZE) / numNoises));
    for (let from = 0; from < numObservations; from += groupSize) {
      const to = Math.min(from + groupSize, numObservations);
      const group = sliceRows(observations, from, to);
      scope(() => {
        const start = slice(noise, 0, from * numNoises, to * numNoises);
        for (const [policy, byNumSteps] of collected) {
          for (const [numSteps, chunks] of sampleChunks(policy, group, start, numNoises, [...byNumSteps.keys()])) {
            byNumSteps.get(numSteps)!.push(chunks);
          }
        }
      });
      onProgress?.(to, numObservations);
    }
  });

  const shape = [numObservations, numNoises, reference.config.chunkSize, actionDim(reference.config)];
  const samplesOf = (policy: SmolVLAPolicy, numSteps: number): HostArray =>
    hostArray("float32", shape, concatenated(collected.get(policy)!.get(numSteps)!, numElements(shape)));
  const truth = samplesOf(reference, numReferenceSteps);
  return candidates.flatMap(({ name, policy }) =>
    numStepsList.map((numSteps) => ({ name, numSteps, ...measureAgreement(samplesOf(policy, numSteps), truth) })),
  );
}

/** Normalised, cropped chunks of every observation from each of its noises, by number of steps. */
function sampleChunks(
  policy: SmolVLAPolicy,
  observations: ProcessorBatch,
  noise: Tensor,
  numNoises: number,
  numStepsList: readonly number[],
): [numSteps: number, chunks: Float32Array][] {
  return noGrad(() =>
    scope(() => {
      const prefix = scope(() => repeatPrefix(policy.model.encodePrefix(policy.encode(observations)), numNoises));
      const start = toDevice(noise, policy.device);
      const field = (x: Tensor, time: Tensor): Tensor => policy.model.velocity(prefix, x, time);
      return numStepsList.map((numSteps) => {
        const chunks = scope(() => cropActions(solve(euler, field, start, numSteps), policy.config));
        return [numSteps, chunks.toHost().data as Float32Array];
      });
    }),
  );
}

/** The observations of some rows; everything else in the batch is left out. */
function sliceRows({ arrays, tasks }: ProcessorBatch, from: number, to: number): ProcessorBatch {
  const rows = Object.entries(arrays).flatMap(([name, { dtype, shape, data }]) => {
    if (!name.startsWith("observation.")) return [];
    if (shape[0] !== tasks.length) {
      throw new ShapeError(
        `eval.agreementTable: expected one row of "${name}" for each of ${tasks.length} tasks, got [${shape.join(", ")}]`,
      );
    }
    const size = numElements(shape.slice(1));
    return [[name, hostArray(dtype, [to - from, ...shape.slice(1)], data.subarray(from * size, to * size))] as const];
  });
  return { arrays: Object.fromEntries(rows), tasks: tasks.slice(from, to) };
}

function concatenated(parts: readonly Float32Array[], length: number): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function checkRequest({ reference, candidates, observations, ...numbers }: AgreementRequest): void {
  const where = "eval.agreementTable";
  const expectAtLeast = (path: string, value: number | undefined, minimum: number): void => {
    if (value === undefined || (Number.isSafeInteger(value) && value >= minimum)) return;
    throw new ConfigError(where, [{ path, message: `expected a whole number of at least ${minimum}, got ${value}` }]);
  };
  expectAtLeast("numNoises", numbers.numNoises, 2);
  expectAtLeast("numReferenceSteps", numbers.numReferenceSteps, 1);
  expectAtLeast("batchSize", numbers.batchSize, 1);
  for (const [i, numSteps] of numbers.numStepsList.entries()) expectAtLeast(`numStepsList.${i}`, numSteps, 1);
  expectAtLeast("observations", observations.tasks.length, 1);
  const chunkOf = ({ config }: SmolVLAPolicy): string =>
    `[${config.chunkSize}, ${actionDim(config)}] padded to ${config.maxActionDim}`;
  for (const { name, policy } of candidates) {
    if (chunkOf(policy) === chunkOf(reference)) continue;
    throw new ConfigError(
      where,
      `expected candidate "${name}" to give chunks as the reference does, ${chunkOf(reference)}, got ${chunkOf(policy)}`,
    );
  }
}

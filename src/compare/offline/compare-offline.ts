import { type Agreement, measureAgreement } from "../../eval/index.js";
import { sampleNoise } from "../../flow/index.js";
import { deriveSeed } from "../../support/derive-seed.js";
import type { HostArray } from "../../support/host-array.js";
import { Generator, scope } from "../../torch/index.js";
import type { ComparedPolicy, FlowShape, OfflineRow } from "../comparison.js";
import { expectEqualUnits, unitChunks } from "../expect-equal-chunks.js";
import { namingPolicy } from "../naming-policy.js";
import { stepsOf } from "../steps-of.js";
import { choosePathView, flowPaths, type PathView } from "./flow-paths.js";
import { flowShape } from "./flow-shape.js";
import { type FlowRequest, type MeasuredFlow, measureFlow } from "./measure-flow.js";
import type { OpenedFlow } from "./observed-flow.js";
import { betweenModes, offlineRow, type TeacherReference } from "./offline-row.js";

export interface OfflineRequest {
  /** the first is the teacher */
  readonly policies: readonly ComparedPolicy[];
  /** loads one; it is disposed before the next is loaded */
  readonly open: (policy: ComparedPolicy) => Promise<OpenedFlow>;
  readonly numObservations: number;
  /** K, at least 2; with fewer than 16 measures of the noise are coarse, below 4 there are no distances of distributions */
  readonly numNoises: number;
  readonly chunk: {
    readonly chunkSize: number;
    /** padded */
    readonly maxActionDim: number;
    readonly actionDim: number;
  };
  readonly numStepsList: readonly number[];
  /** of the teacher */
  readonly deployedSteps: number;
  /** actions of a chunk that are carried out */
  readonly numActionSteps: number;
  readonly referenceSteps: number;
  readonly pathSteps: number;
  readonly chunksAtOnce: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: OfflineProgress) => void) | undefined;
}

export interface OfflineProgress {
  readonly policy: string;
  /** observations of this policy */
  readonly numDone: number;
  /** of the observations of all policies, from 0 to 1 */
  readonly share: number;
}

/** What is known of one policy. */
export interface OfflinePart {
  readonly rows: readonly OfflineRow[];
  readonly flow: FlowShape;
  /** with the teacher's part alone */
  readonly otherNoise?: Agreement | undefined;
}

/** Kept of the teacher, while the others are measured. */
interface Teacher {
  readonly policy: ComparedPolicy;
  readonly reference: TeacherReference;
  readonly pairs: HostArray;
  readonly view: PathView;
  /** what chunks of zeros and ones are in the robot's units */
  readonly units: HostArray;
}

/**
 * Measures policies on the same observations from the same noises, one after the other, the teacher first. Ends early if the
 * signal says so.
 */
export async function* compareOffline(request: OfflineRequest): AsyncGenerator<OfflinePart, void, undefined> {
  const { policies, seed } = request;
  const noise = noiseOf(request, deriveSeed(seed, "noise"));
  let teacher: Teacher | undefined;
  for (const policy of policies) {
    if (request.signal?.aborted) return;
    const opened = await namingPolicy(policy, () => request.open(policy));
    try {
      const units = opened.toRobotUnits(unitChunks(request.chunk.actionDim, request.chunk.chunkSize));
      if (teacher !== undefined)
        expectEqualUnits({ name: teacher.policy.name, units: teacher.units }, { name: policy.name, units });
      const numStepsList = stepsOf(policy, request, policy === policies[0]);
      const flowRequest = { ...flowRequestOf(request, policy, noise), numStepsList };
      const pairs = trainedOn(policy, teacher);
      const measured = await namingPolicy(policy, () => measureFlow(opened.flow, { ...flowRequest, trainedOn: pairs }));
      if (measured === undefined) return;
      let otherNoise: Agreement | undefined;
      if (teacher === undefined) {
        teacher = { ...teacherOf(policy, measured, opened, request.deployedSteps), units };
        const other = noiseOf(request, deriveSeed(seed, "other noise"));
        otherNoise = await agreementFromOtherNoise(opened, measured, { ...flowRequest, noise: other });
        if (otherNoise === undefined) return;
      }
      const { reference, view } = teacher;
      const paths = flowPaths(opened.flow, view, flowRequest);
      const { converged, fewSteps } = measured.samples;
      const { toRobotUnits } = opened;
      const { numActionSteps } = request;
      yield {
        rows: fewSteps.map(({ numSteps, samples }) =>
          offlineRow({
            ...{ policy: policy.name, numSteps, samples, converged, toRobotUnits, numActionSteps, seed },
            teacher: reference,
          }),
        ),
        flow: flowShape(policy.name, measured, noise, paths),
        otherNoise,
      };
    } finally {
      opened.dispose();
    }
  }
}

function noiseOf({ numObservations, numNoises, chunk }: OfflineRequest, seed: number): HostArray {
  using generator = new Generator(seed);
  const { chunkSize, maxActionDim } = chunk;
  return scope(() => sampleNoise([numObservations * numNoises, chunkSize, maxActionDim], generator).toHost());
}

const flowRequestOf = (
  { policies, numNoises, chunk, referenceSteps, pathSteps, chunksAtOnce, signal, onProgress }: OfflineRequest,
  policy: ComparedPolicy,
  noise: HostArray,
): Omit<FlowRequest, "numStepsList" | "trainedOn"> => ({
  ...{ noise, numNoises, numDims: chunk.actionDim, referenceSteps, pathSteps, chunksAtOnce, signal },
  onProgress: (numDone, numObservations) =>
    onProgress?.({
      policy: policy.name,
      numDone,
      share: (policies.indexOf(policy) + numDone / numObservations) / policies.length,
    }),
});

/**
 * The pairs of a policy's training, as far as they are known: demonstrations before the first reflow, the teacher's flow for
 * one that was straightened once more than the teacher. A policy that was trained for one step has no loss at other times.
 */
function trainedOn(policy: ComparedPolicy, teacher: Teacher | undefined): FlowRequest["trainedOn"] {
  if (policy.isDistilled) return undefined;
  if (policy.round === 1) return "demonstrations";
  return teacher !== undefined && policy.round === teacher.policy.round + 1 ? teacher.pairs : undefined;
}

function teacherOf(
  policy: ComparedPolicy,
  { samples, pairs }: MeasuredFlow,
  { toRobotUnits }: OpenedFlow,
  deployedSteps: number,
): Omit<Teacher, "units"> {
  const { converged, fewSteps } = samples;
  const deployed = fewSteps.find(({ numSteps }) => numSteps === deployedSteps)!.samples;
  const reference = {
    ...{ converged, deployed },
    robot: toRobotUnits(converged),
    deployedBetween: betweenModes(deployed, converged),
  };
  return { policy, reference, pairs, view: choosePathView(converged) };
}

/** Only the converged samples matter: everything else is asked for once, which is cheap. */
async function agreementFromOtherNoise(
  { flow }: OpenedFlow,
  { samples }: MeasuredFlow,
  request: Omit<FlowRequest, "trainedOn">,
): Promise<Agreement | undefined> {
  const quick = { numStepsList: [1], pathSteps: 1, trainedOn: undefined, onProgress: undefined };
  const other = await measureFlow(flow, { ...request, ...quick });
  return other && measureAgreement(other.samples.converged, samples.converged);
}

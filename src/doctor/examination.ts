/** What the checks look at: the policies, the dataset, and samples of both policies on equal noise, made when first needed. */
import { type SolvedSamples, solvedSamples } from "../eval/index.js";
import { dataDenseGrid, heun, sampleNoise, type VelocityField } from "../flow/index.js";
import { toModelInput, toTargetActions } from "../policy/model-input.js";
import { withRenameMap } from "../policy/processors/override-pipeline.js";
import { type ProcessorBatch, runPreprocessor } from "../policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { actionDim } from "../smolvla/config.js";
import { repeatPrefix } from "../smolvla/repeat-prefix.js";
import type { ModelInput } from "../smolvla/smolvla.js";
import type { HostArray } from "../support/host-array.js";
import { once } from "../support/once.js";
import { Generator, noGrad, repeatInterleave, scope, type Tensor, tensorFromHost, toDevice } from "../torch/index.js";
import type { DatasetSubject } from "./dataset-subject.js";
import type { Patient } from "./patient.js";
import { syntheticObservation } from "./synthetic-observation.js";

/** Heun's steps, short ones at the actions, after which a flow counts as solved. */
const REFERENCE = { solver: heun, numSteps: 20, grid: dataDenseGrid } as const;

/** Steps of stock policies. */
const STOCK_STEPS = 10;

export interface ExaminationParts {
  readonly teacher: Patient;
  readonly student: Patient | undefined;
  readonly dataset: DatasetSubject | undefined;
  /** K, noises for each observation */
  readonly numNoises: number;
  readonly seed: number;
}

export class Examination {
  readonly teacher: Patient;
  readonly student: Patient | undefined;
  readonly dataset: DatasetSubject | undefined;
  readonly numNoises: number;
  readonly seed: number;
  /** both policies' samples from the same noises, at one step, as deployed, and well solved */
  readonly teacherSamples = once(() => this.#solve(this.teacher));
  readonly studentSamples = once(() => this.#solve(this.student!));

  constructor(parts: ExaminationParts) {
    this.teacher = parts.teacher;
    this.student = parts.student;
    this.dataset = parts.dataset;
    this.numNoises = parts.numNoises;
    this.seed = parts.seed;
  }

  /** The policies that there are. */
  get patients(): readonly Patient[] {
    return this.student === undefined ? [this.teacher] : [this.teacher, this.student];
  }

  /** Frames of the dataset with demonstrated chunks, under the policies' names and in the dataset's units. */
  get observations(): ProcessorBatch {
    return this.dataset!.observations!;
  }

  /** Frames of the dataset, or made-up ones where anything that a policy takes will do. */
  anyObservation({ config, processors }: SmolVLAPolicy): ProcessorBatch {
    return this.dataset?.observations ?? syntheticObservation(config, processors.preprocessor);
  }

  /** Standard normal noise in the full width for every observation, K in a row: `[O * K, A, M]`. */
  noise({ config, device }: SmolVLAPolicy, numRows = this.observations.tasks.length * this.numNoises): Tensor {
    using generator = new Generator(this.seed);
    return toDevice(sampleNoise([numRows, config.chunkSize, config.maxActionDim], generator), device);
  }

  /** Demonstrated chunks in a policy's normalised units and full width, each K times: `[O * K, A, M]`. */
  demonstrations(policy: SmolVLAPolicy): Tensor {
    const actions = toTargetActions(this.#processed(policy, this.observations), policy.config, policy.device);
    return repeatInterleave(actions, this.numNoises, 0);
  }

  /** The dataset's frames as a policy's pre-processor gives them. */
  normalised(policy: SmolVLAPolicy): ProcessorBatch["arrays"] {
    return this.#processed(policy, this.observations);
  }

  /** Observations as a policy's network takes them. */
  input(policy: SmolVLAPolicy, observations: ProcessorBatch): ModelInput {
    return toModelInput(this.#processed(policy, observations), policy.config, policy.device);
  }

  /** A policy's velocity for every observation, each K times in a row. Call it in a scope. */
  field(policy: SmolVLAPolicy): VelocityField {
    const { model } = policy;
    const prefix = noGrad(() =>
      repeatPrefix(model.encodePrefix(this.input(policy, this.observations)), this.numNoises),
    );
    return (x, time) => noGrad(() => model.velocity(prefix, x, time));
  }

  /** A policy's samples at some numbers of Euler steps, and well solved: float32 `[O, K, A, M]`, real dimensions. */
  #solve({ policy }: Patient): SolvedSamples {
    const deployed = this.patients.flatMap(({ config }) => (config === undefined ? [] : [config.numSteps]));
    return scope(() =>
      solvedSamples(this.field(policy!), this.noise(policy!), {
        numNoises: this.numNoises,
        numDims: actionDim(policy!.config),
        numStepsList: [...new Set([1, STOCK_STEPS, ...deployed])],
        reference: REFERENCE,
      }),
    );
  }

  /** Names were changed when the observations were read. */
  #processed({ processors, tokenizer }: SmolVLAPolicy, observations: ProcessorBatch) {
    return runPreprocessor(withRenameMap(processors.preprocessor, {}), observations, tokenizer).arrays;
  }
}

/** Samples at a number of steps that was solved for. */
export const samplesAt = ({ fewSteps }: SolvedSamples, steps: number): HostArray =>
  fewSteps.find(({ numSteps }) => numSteps === steps)!.samples;

/** Mean square over the first `numDims` dimensions of the last axis. */
export function meanSquare(x: Tensor, numDims: number): number {
  const { data, shape } = x.toHost();
  const width = shape.at(-1)!;
  let [sum, count] = [0, 0];
  for (const [i, value] of (data as Float32Array).entries()) {
    if (i % width >= numDims) continue;
    sum += value ** 2;
    count += 1;
  }
  return sum / count;
}

/** A tensor of samples `[O, K, A, M]` on a device. */
export const onDevice = (samples: HostArray, { device }: SmolVLAPolicy): Tensor =>
  toDevice(tensorFromHost(samples), device);

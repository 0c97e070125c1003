/**
 * The training loop: batches in, optimizer steps and events out. It does not know which objective it follows, where the
 * batches come from or how a checkpoint is written, and it prints nothing.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { deriveSeed } from "../support/derive-seed.js";
import { backward, divScalar, Generator, scope, synchronize } from "../torch/index.js";
import type { Figure, Objective, TrainingBatch } from "./objectives/objective.js";
import type { Batches } from "./prefetched-batches.js";
import { type TrainedParameters, updateParameters } from "./update-parameters.js";

/** When a run is saved, and how; steps are counted as done. */
export interface CheckpointPlan {
  readonly isDue: (step: number) => boolean;
  /** @returns where it was written */
  readonly write: (step: number) => Promise<string>;
}

/** When the policy is measured, and how; steps are counted as done. */
export interface EvaluationPlan {
  readonly isDue: (step: number) => boolean;
  readonly measure: () => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;
}

export interface LoopOptions extends TrainedParameters {
  readonly objective: Objective;
  /** the learning rate of a step, counted from 0 */
  readonly schedule: (step: number) => number;
  readonly batches: Batches;
  /** batches whose mean gradient makes one step */
  readonly batchesPerStep: number;
  /** puts the batch of a place in the order of batches on the device; called in the scope of its step */
  readonly toDevice: (batch: ProcessorBatch, place: number, step: number) => TrainingBatch;
  readonly device: string;
  /** of noise and times: what is drawn at a step depends on it and the step alone */
  readonly seed: number;
  /** steps done before, when a run continues */
  readonly firstStep: number;
  /** steps in total */
  readonly numSteps: number;
  /** undefined for a run that measures nothing */
  readonly evaluations?: EvaluationPlan | undefined;
  /** undefined for a run that saves nothing */
  readonly checkpoints: CheckpointPlan | undefined;
  /** asks the loop to finish its step, save and stop */
  readonly signal?: AbortSignal | undefined;
}

export type LoopEvent =
  | {
      readonly kind: "step";
      /** steps done */
      readonly step: number;
      readonly loss: number;
      /** before clipping */
      readonly gradNorm: number;
      readonly learningRate: number;
      readonly updateS: number;
      /** time spent waiting for the batch */
      readonly dataS: number;
      /** samples of the step */
      readonly batchSize: number;
      /** what the objective has to say about it */
      readonly figures: readonly Figure[];
    }
  | { readonly kind: "evaluation"; readonly step: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: "checkpoint"; readonly step: number; readonly path: string }
  | { readonly kind: "interrupted"; readonly step: number };

/**
 * Trains until the last step, a signal or an error. Between steps the event loop gets its turn.
 *
 * @throws DivergedError if a loss or gradient is no longer a number; the update is not made then
 */
export async function* trainingLoop(options: LoopOptions): AsyncGenerator<LoopEvent, void, undefined> {
  const { numSteps, batchesPerStep, checkpoints, evaluations, signal } = options;
  if (options.firstStep === 0 && evaluations)
    yield { kind: "evaluation", step: 0, metrics: await evaluations.measure() };
  for (let step = options.firstStep; step < numSteps; step++) {
    const asked = performance.now();
    const batches: ProcessorBatch[] = [];
    for (let i = 0; i < batchesPerStep; i++) batches.push(await options.batches.next(step * batchesPerStep + i));
    const began = performance.now();
    const measured = trainingStep(options, batches, step);
    const numDone = step + 1;
    yield {
      kind: "step",
      step: numDone,
      ...measured,
      learningRate: options.schedule(step),
      updateS: (performance.now() - began) / 1000,
      dataS: (began - asked) / 1000,
      batchSize: batches.reduce((n, { tasks }) => n + tasks.length, 0),
    };
    if (evaluations?.isDue(numDone)) yield { kind: "evaluation", step: numDone, metrics: await evaluations.measure() };
    const isSaved = checkpoints?.isDue(numDone) === true;
    if (isSaved) yield await save(checkpoints, numDone);
    await nextTurn(); // signals arrive here
    if (signal?.aborted && numDone < numSteps) {
      if (checkpoints && !isSaved) yield await save(checkpoints, numDone);
      yield { kind: "interrupted", step: numDone };
      return;
    }
  }
}

async function save(checkpoints: CheckpointPlan, step: number): Promise<LoopEvent> {
  return { kind: "checkpoint", step, path: await checkpoints.write(step) };
}

interface MeasuredStep {
  readonly loss: number;
  readonly gradNorm: number;
  readonly figures: readonly Figure[];
}

/** Loss and gradient of each batch, their mean, clip, update. */
function trainingStep(options: LoopOptions, batches: readonly ProcessorBatch[], step: number): MeasuredStep {
  return scope(() => {
    const parts = batches.map((batch, i) => accumulateGradient(options, batch, step, i));
    const loss = parts.reduce((sum, part) => sum + part.loss, 0) / parts.length;
    const gradNorm = updateParameters(options, loss, options.schedule(step), step);
    synchronize(options.device); // so that the time of a step is the time of its work
    return { loss, gradNorm, figures: parts.flatMap(({ figures }) => figures) };
  });
}

/** Adds a batch's share of the step's gradient to the parameters' own, and frees the graph it took. */
function accumulateGradient(
  { objective, batchesPerStep, toDevice, seed }: LoopOptions,
  processed: ProcessorBatch,
  step: number,
  i: number,
): { loss: number; figures: readonly Figure[] } {
  return scope(() => {
    const place = step * batchesPerStep + i;
    using generator = new Generator(deriveSeed(seed, "step", place));
    const { loss, figures } = objective.loss(toDevice(processed, place, step), generator);
    backward(batchesPerStep === 1 ? loss : divScalar(loss, batchesPerStep));
    return { loss: loss.item(), figures: figures() };
  });
}

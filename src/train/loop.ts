/**
 * The training loop: batches in, optimizer steps and events out. It does not know which objective it follows, where the
 * batches come from or how a checkpoint is written, and it prints nothing.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type AdamW, clipGradients } from "../optim/index.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { deriveSeed } from "../support/derive-seed.js";
import { DivergedError } from "../support/errors.js";
import { backward, Generator, noGrad, scope, synchronize, type Tensor, toDtype } from "../torch/index.js";
import type { Objective, TrainingBatch } from "./objectives/objective.js";
import type { Batches } from "./prefetched-batches.js";

/** When a run is saved, and how; steps are counted as done. */
export interface CheckpointPlan {
  readonly isDue: (step: number) => boolean;
  /** @returns where it was written */
  readonly write: (step: number) => Promise<string>;
}

export interface LoopOptions {
  readonly objective: Objective;
  /** trained parameters, in the optimizer's order */
  readonly parameters: readonly Tensor[];
  readonly optimizer: AdamW;
  /** the learning rate of a step, counted from 0 */
  readonly schedule: (step: number) => number;
  /** largest joint norm of the gradients; 0 for no limit */
  readonly maxGradNorm: number;
  readonly batches: Batches;
  /** puts a processed batch on the device; called in the scope of its step */
  readonly toDevice: (batch: ProcessorBatch) => TrainingBatch;
  readonly device: string;
  /** of noise and times: what is drawn at a step depends on it and the step alone */
  readonly seed: number;
  /** steps done before, when a run continues */
  readonly firstStep: number;
  /** steps in total */
  readonly numSteps: number;
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
      readonly batchSize: number;
    }
  | { readonly kind: "checkpoint"; readonly step: number; readonly path: string }
  | { readonly kind: "interrupted"; readonly step: number };

/**
 * Trains until the last step, a signal or an error. Between steps the event loop gets its turn.
 *
 * @throws DivergedError if a loss or gradient is no longer a number; the update is not made then
 */
export async function* trainingLoop(options: LoopOptions): AsyncGenerator<LoopEvent, void, undefined> {
  const { numSteps, checkpoints, signal } = options;
  for (let step = options.firstStep; step < numSteps; step++) {
    const asked = performance.now();
    const batch = await options.batches.next(step);
    const began = performance.now();
    const measured = trainingStep(options, batch, step);
    const numDone = step + 1;
    yield {
      kind: "step",
      step: numDone,
      ...measured,
      learningRate: options.schedule(step),
      updateS: (performance.now() - began) / 1000,
      dataS: (began - asked) / 1000,
      batchSize: batch.tasks.length,
    };
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

/** Draw, loss, gradient, clip, update. */
function trainingStep(
  options: LoopOptions,
  processed: ProcessorBatch,
  step: number,
): { loss: number; gradNorm: number } {
  const { objective, parameters, optimizer, maxGradNorm } = options;
  return scope(() => {
    using generator = new Generator(deriveSeed(options.seed, "step", step));
    const batch = options.toDevice(processed);
    const loss = objective.loss(batch, objective.draw(processed.tasks.length, generator));
    backward(loss);
    const gradients = parameters.map(({ grad }) => grad && noGrad(() => toDtype(grad, "float32")));
    for (const parameter of parameters) parameter.grad = undefined;
    const gradNorm = clipGradients(gradients, maxGradNorm > 0 ? maxGradNorm : Number.POSITIVE_INFINITY);
    const measured = { loss: loss.item(), gradNorm: gradNorm.item() };
    if (!Number.isFinite(measured.loss) || !Number.isFinite(measured.gradNorm)) {
      throw new DivergedError(
        `train: expected a finite loss at step ${step + 1}, got loss ${measured.loss} and gradient norm ${measured.gradNorm}. ` +
          "The update was not made and earlier checkpoints are good. Lower optimizer_lr, or look for extreme values in the dataset",
      );
    }
    optimizer.step(gradients, options.schedule(step));
    synchronize(options.device); // so that the time of a step is the time of its work
    return measured;
  });
}

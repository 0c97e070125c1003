import type { ModelInput } from "../../smolvla/smolvla.js";
import type { HostArray } from "../../support/host-array.js";
import type { Generator, Tensor } from "../../torch/index.js";

/** A batch on the device, and the processed arrays it was made from. */
export interface TrainingBatch {
  readonly input: ModelInput;
  readonly arrays: Readonly<Record<string, HostArray>>;
  /** the task of each row */
  readonly tasks: readonly string[];
  /** its place in the order of data, from 0: the same frames that come again have the same number */
  readonly number: number;
  /** the optimizer step it is for, from 0 */
  readonly step: number;
}

/** A mean that a step contributes to: a name, a value, and how many samples it is the mean of. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly weight: number;
}

export interface StepLoss {
  /** a scalar with its gradient graph */
  readonly loss: Tensor;
  /** What else is worth writing down about the step; called once, after the gradient. */
  readonly figures: () => readonly Figure[];
}

/**
 * What a training run minimises. The loop asks for the loss of a batch, follows its gradient, and knows nothing else about
 * the method.
 */
export interface Objective {
  readonly name: string;
  /** @param generator of everything that is random in it, on the CPU */
  loss(batch: TrainingBatch, generator: Generator): StepLoss;
  /** Frees what lives longer than a step. */
  dispose(): void;
}

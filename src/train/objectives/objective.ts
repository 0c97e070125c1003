import type { ModelInput } from "../../smolvla/smolvla.js";
import type { HostArray } from "../../support/host-array.js";
import type { Generator, Tensor } from "../../torch/index.js";

/** A batch on the device, and the processed arrays it was made from. */
export interface TrainingBatch {
  readonly input: ModelInput;
  readonly arrays: Readonly<Record<string, HostArray>>;
}

/** The random part of one training step. */
export interface Draw {
  /** standard normal float32 `[B, A, M]`, in all padded action dimensions */
  readonly noise: Tensor;
  /** float32 `[B]`, 1 is noise and 0 is actions */
  readonly time: Tensor;
}

/**
 * What a training run minimises. The loop draws, asks for the loss, follows its gradient, and knows nothing else about
 * the method.
 */
export interface Objective {
  readonly name: string;
  /** Draws noise first, then times, both on the CPU. */
  draw(batchSize: number, generator: Generator): Draw;
  /** The loss of a batch, a scalar with its gradient graph. */
  loss(batch: TrainingBatch, draw: Draw): Tensor;
}

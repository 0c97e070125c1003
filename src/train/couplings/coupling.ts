import type { Context } from "../../smolvla/vision-language-model.js";
import type { Generator, Tensor } from "../../torch/index.js";
import type { Figure, TrainingBatch } from "../objectives/objective.js";

/** Noises and actions that belong together, N for each of the B observations of a batch, those of one observation in a row. */
export interface Pairs {
  /** float32 `[B * N, A, M]` in the full padded width */
  readonly noise: Tensor;
  /** float32 `[B * N, A, M]` */
  readonly actions: Tensor;
  /**
   * weight of each sample in the loss, float32 `[B * N]`; undefined for all alike. A sample of weight 0 takes no part in
   * it.
   */
  readonly weights?: Tensor | undefined;
  /**
   * which samples couple actions with a noise that has nothing to do with them, as in ordinary flow matching, bool
   * `[B * N]`; undefined for none
   */
  readonly isIndependent?: Tensor | undefined;
  /** steps of demonstrated actions beyond the end of their episode, bool `[B * N, A]`; undefined for none */
  readonly isPad?: Tensor | undefined;
  /** what is worth writing down about how they were made */
  readonly figures?: readonly Figure[];
}

/**
 * Which noise goes with which actions: the joint law that a rectified flow is trained on. Coupling (rectified-flow paper,
 * section 2): independent noises and demonstrations give a first flow, a flow's own noises and results straighten it.
 */
export interface Coupling {
  /** N, pairs per observation */
  readonly numNoises: number;
  /**
   * The pairs of a batch, without gradients.
   *
   * @param context images and language of the batch as the student's vision-language model encodes them; undefined if that
   * model is trained itself
   */
  couple(batch: TrainingBatch, context: Context | undefined, generator: Generator): Pairs;
  /** Frees what lives longer than a batch. */
  dispose(): void;
}

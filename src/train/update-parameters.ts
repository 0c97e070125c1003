import { type AdamW, clipGradients } from "../optim/index.js";
import { DivergedError } from "../support/errors.js";
import { noGrad, type Tensor, toDtype } from "../torch/index.js";

/** What is trained, and by what. */
export interface TrainedParameters {
  /** in the optimizer's order */
  readonly parameters: readonly Tensor[];
  readonly optimizer: AdamW;
  /** largest joint norm of the gradients; 0 for no limit */
  readonly maxGradNorm: number;
  /** called before and after every update of the parameters; steps are counted from 0 */
  readonly beforeUpdate?: ((step: number) => void) | undefined;
  readonly afterUpdate?: ((step: number) => void) | undefined;
}

/**
 * One optimizer step with the gradients that the parameters have gathered, which are taken from them.
 *
 * @param loss whose gradient it is
 * @param step counted from 0, for the message
 * @returns norm of the gradients before clipping
 * @throws DivergedError if loss or norm is no number; the update is not made then
 */
export function updateParameters(
  { parameters, optimizer, maxGradNorm, beforeUpdate, afterUpdate }: TrainedParameters,
  loss: number,
  learningRate: number,
  step: number,
): number {
  const gradients = parameters.map(({ grad }) => grad && noGrad(() => toDtype(grad, "float32")));
  for (const parameter of parameters) parameter.grad = undefined;
  const gradNorm = clipGradients(gradients, maxGradNorm > 0 ? maxGradNorm : Number.POSITIVE_INFINITY).item();
  if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
    throw new DivergedError(
      `train: expected a finite loss at step ${step + 1}, got loss ${loss} and gradient norm ${gradNorm}. ` +
        "The update was not made and earlier checkpoints are good. Lower optimizer_lr, or look for extreme values in the dataset",
    );
  }
  beforeUpdate?.(step);
  optimizer.step(gradients, learningRate);
  afterUpdate?.(step);
  return gradNorm;
}

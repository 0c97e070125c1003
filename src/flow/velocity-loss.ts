import { ShapeError } from "../support/errors.js";
import { mean, slice, square, sub, type Tensor } from "../torch/index.js";

/**
 * Mean squared difference of velocities over all entries, or over the first `numDims` action dimensions.
 *
 * @param predicted `[B, A, M]`
 * @param target `[B, A, M]`
 * @returns a scalar
 */
export function velocityLoss(predicted: Tensor, target: Tensor, numDims = target.size(-1)): Tensor {
  if (predicted.shape.join() !== target.shape.join() || numDims < 1 || numDims > target.size(-1)) {
    throw new ShapeError(
      `flow.velocityLoss: expected two velocities of one shape with at least ${numDims} dimensions, got [${predicted.shape.join(", ")}] and [${target.shape.join(", ")}]`,
    );
  }
  return mean(slice(square(sub(target, predicted)), -1, 0, numDims));
}

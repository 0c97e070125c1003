import { ShapeError } from "../../support/errors.js";
import { clamp, div, mean, mul, scope, sum, type Tensor } from "../../torch/index.js";

/**
 * The loss of a batch: the mean of its samples' losses, weighted if asked: `sum(w loss) / sum(w)`, 0 if no sample has
 * weight.
 *
 * @param losses `[B]`
 * @param weights `[B]`, at least 0, such as `truncateFar` gives
 * @returns a scalar
 * @throws ShapeError if there is not one weight per sample
 */
export function meanLoss(losses: Tensor, weights?: Tensor): Tensor {
  if (weights === undefined) return mean(losses);
  if (losses.shape.length === 1 && weights.shape.join() === losses.shape.join()) {
    return scope(() => div(sum(mul(losses, weights)), clamp(sum(weights), 1e-30)));
  }
  throw new ShapeError(
    `flow.meanLoss: expected one weight for each of the losses [B], got [${weights.shape.join(", ")}] and [${losses.shape.join(", ")}]`,
  );
}

import { ShapeError } from "../../support/errors.js";
import { logicalNot, mul, scope, type Tensor, toDtype, unsqueeze } from "../../torch/index.js";
import { expectWeights } from "./weighted-mean-square.js";

/**
 * Weights that leave out the steps of demonstrations beyond the end of their episode. A generated chunk has no such steps:
 * where both are in one batch, its row of the mask is false throughout.
 *
 * @param isPad `bool[B, A]`, LeRobot's `action_is_pad`
 * @param weights to mask, at least 0, `[A, M]` or `[B, A, M]` or what broadcasts to them; all alike if left out
 * @returns float32 `[B, A, M]`, or `[B, A, 1]` without weights, on the device of the mask
 * @throws ShapeError if the mask is none, or the weights do not fit it
 */
export function unpaddedWeights(isPad: Tensor, weights?: Tensor): Tensor {
  const where = "flow.unpaddedWeights";
  if (isPad.shape.length !== 2 || isPad.dtype !== "bool") {
    throw new ShapeError(`${where}: expected a mask bool[B, A], got ${isPad.dtype}[${isPad.shape.join(", ")}]`);
  }
  if (weights !== undefined) expectWeights(where, weights, [...isPad.shape, weights.size(-1)]);
  return scope(() => {
    const isReal = unsqueeze(toDtype(logicalNot(isPad), "float32"), -1); // [B, A, 1]
    return weights === undefined ? isReal : mul(isReal, weights);
  });
}

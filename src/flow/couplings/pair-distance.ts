import { ShapeError } from "../../support/errors.js";
import { scope, slice, sub, type Tensor, vectorNorm } from "../../torch/index.js";

/**
 * How far each pair's actions are from its noise, `|actions - noise|`, over the first `numDims` dimensions.
 *
 * @param noise `[B, A, M]`
 * @param actions `[B, A, M]`
 * @returns `[B]`
 * @throws ShapeError if shapes differ or there are not so many dimensions
 */
export function pairDistance(noise: Tensor, actions: Tensor, numDims = noise.size(-1)): Tensor {
  if (noise.shape.join() !== actions.shape.join() || noise.shape.length !== 3) {
    throw new ShapeError(
      `flow.pairDistance: expected noise and actions of one shape [B, A, M], got [${noise.shape.join(", ")}] and [${actions.shape.join(", ")}]`,
    );
  }
  if (!Number.isInteger(numDims) || numDims < 1 || numDims > noise.size(-1)) {
    throw new ShapeError(`flow.pairDistance: expected from 1 to ${noise.size(-1)} dimensions, got ${numDims}`);
  }
  return scope(() => vectorNorm(slice(sub(actions, noise), -1, 0, numDims), 2, [1, 2]));
}

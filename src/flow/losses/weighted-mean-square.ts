import { ShapeError } from "../../support/errors.js";
import {
  clamp,
  div,
  expand,
  full,
  le,
  logicalNot,
  meanOver,
  mul,
  square,
  sumOver,
  type Tensor,
  toDtype,
  zerosLike,
} from "../../torch/index.js";

/** Below any sum of weights that means something; divides the empty sum of a sample that has none. */
const TINY = 1e-30;

export interface WeightedMeanSquare {
  /** `[B]`; 0 for a sample without any weight */
  readonly meanSquare: Tensor;
  /** how many entries have weight, at least 1; `[B]` or `[1]` */
  readonly numActive: Tensor;
}

/**
 * `sum(w x^2) / sum(w)` for each sample.
 *
 * @param x `[B, A, M]`
 * @param weights at least 0, `[A, M]` or `[B, A, M]` or what broadcasts to them; all alike if left out
 */
export function weightedMeanSquare(x: Tensor, weights?: Tensor): WeightedMeanSquare {
  const squares = square(x);
  if (weights === undefined) {
    const numEntries = x.size(1) * x.size(2);
    return { meanSquare: meanOver(squares, [1, 2]), numActive: full([1], numEntries, x.dtype, undefined, x.device) };
  }
  const w = expand(weights, weights.shape.length === 3 ? x.shape : x.shape.slice(1));
  const sumOfWeights = clamp(sumOver(w, [-2, -1]), TINY);
  const isActive = logicalNot(le(w, zerosLike(w)));
  return {
    meanSquare: div(sumOver(mul(squares, w), [1, 2]), sumOfWeights),
    numActive: clamp(sumOver(toDtype(isActive, x.dtype), [-2, -1]), 1),
  };
}

/** @throws ShapeError unless the weights broadcast to the chunks, or to one chunk */
export function expectWeights(where: string, weights: Tensor, shape: readonly number[]): void {
  const numDims = weights.shape.length;
  const against = shape.slice(-numDims);
  if ((numDims === 2 || numDims === 3) && weights.shape.every((size, i) => size === 1 || size === against[i])) return;
  throw new ShapeError(
    `${where}: expected weights that broadcast to [${shape.slice(1).join(", ")}] or [${shape.join(", ")}], got [${weights.shape.join(", ")}]`,
  );
}

import { ConfigError, ShapeError } from "../../support/errors.js";
import { add, expand, mul, mulScalar, scope, slice, sqrt, sub, type Tensor, toDtype } from "../../torch/index.js";
import { expectNumber } from "../expect-number.js";
import type { VelocityDistance } from "./velocity-distance.js";
import { expectWeights, weightedMeanSquare } from "./weighted-mean-square.js";

export interface LossOptions {
  readonly distance: VelocityDistance;
  /** at least 0, `[A, M]` or `[B, A, M]` or what broadcasts to them, on the velocities' device; all alike if left out */
  readonly weights?: Tensor | undefined;
  /** beta, at least 0; 0 if left out */
  readonly smoothness?: number;
}

/**
 * The loss of each sample: `distance(r) + beta * mean((r[h + 1] - r[h])^2)` with the difference `r = predicted - target`.
 *
 * The mean over entries is weighted, `sum(w r^2) / sum(w)` in each sample: equal weights give the plain mean over all
 * entries, and only the proportions of weights matter. An entry without weight passes no gradient; a sample without any
 * has a loss of 0.
 *
 * The second term looks at differences along the chunk, one for each pair of neighbouring steps with the geometric mean
 * of their weights: it punishes predictions that jitter about their target more than ones that are off by a constant.
 *
 * @param predicted `[B, A, M]`
 * @param target `[B, A, M]`
 * @returns `[B]`, differentiable by `predicted`, in float32 (float64 if given that)
 * @throws ShapeError if shapes differ or weights do not fit, ConfigError for a smoothness below 0 or of one-step chunks
 */
export function perSampleLoss(
  predicted: Tensor,
  target: Tensor,
  { distance, weights, smoothness = 0 }: LossOptions,
): Tensor {
  const where = "flow.perSampleLoss";
  if (predicted.shape.length !== 3 || predicted.shape.join() !== target.shape.join()) {
    throw new ShapeError(
      `${where}: expected two velocities of one shape [B, A, M], got [${predicted.shape.join(", ")}] and [${target.shape.join(", ")}]`,
    );
  }
  if (weights !== undefined) expectWeights(where, weights, target.shape);
  expectNumber(where, "smoothness", smoothness, smoothness >= 0, "a number of at least 0");
  const chunkSize = target.size(1);
  if (smoothness > 0 && chunkSize < 2) {
    throw new ConfigError(where, "expected chunks of at least 2 steps for a smoothness above 0, got 1");
  }
  return scope(() => {
    const residual = sub(widened(predicted), widened(target));
    const { meanSquare, numActive } = weightedMeanSquare(residual, weights);
    const loss = distance.ofMeanSquare(meanSquare, numActive);
    if (smoothness === 0) return loss;
    const [early, late] = neighbours(residual, 1);
    const jitter = weightedMeanSquare(sub(late, early), weights && neighbourWeights(weights, chunkSize));
    return add(loss, mulScalar(jitter.meanSquare, smoothness));
  });
}

const widened = (x: Tensor): Tensor => toDtype(x, x.dtype === "float64" ? "float64" : "float32");

/** All but the last and all but the first along a dimension. */
const neighbours = (x: Tensor, dim: number): [early: Tensor, late: Tensor] => {
  const size = x.size(dim);
  return [slice(x, dim, 0, size - 1), slice(x, dim, 1, size)];
};

function neighbourWeights(weights: Tensor, chunkSize: number): Tensor {
  const sizes = [...weights.shape.slice(0, -2), chunkSize, weights.size(-1)];
  const [early, late] = neighbours(expand(weights, sizes), -2);
  return sqrt(mul(early, late));
}

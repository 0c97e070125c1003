import { interpolate, type VelocityField, velocityTarget } from "../../flow/index.js";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { full, meanOver, noGrad, scope, slice, square, sub, type Tensor } from "../../torch/index.js";

export interface UniformTimeOptions {
  /** at how many times each pair is asked; 100 if left out */
  readonly numTimes?: number;
  /** real action dimensions; all if left out */
  readonly numDims?: number;
}

/**
 * `V = mean over times of |noise - actions - u(x, time)|^2` of each pair, `x` being the point between them at that time and the
 * squares a mean over the entries of a chunk.
 *
 * Times are the middles of equal parts of 0 to 1: no draw, and not the law of times that training used. For the best field that
 * there is this is not 0, but how uncertain the actions are: `pi s / 2` for normal ones of standard deviation s.
 *
 * @param noise `[B, A, M]`
 * @param actions `[B, A, M]`, independent of the noise to measure a first flow, solved from it to measure a reflowed one
 * @returns one number per pair
 * @throws ConfigError for impossible numbers, ShapeError if shapes differ
 */
export function uniformTimeLosses(
  field: VelocityField,
  noise: Tensor,
  actions: Tensor,
  { numTimes = 100, numDims = noise.size(-1) }: UniformTimeOptions = {},
): number[] {
  const where = "eval.uniformTimeLosses";
  if (!Number.isSafeInteger(numTimes) || numTimes < 1) {
    throw new ConfigError(where, `expected numTimes to be a whole number of at least 1, got ${numTimes}`);
  }
  if (noise.shape.length !== 3) {
    throw new ShapeError(`${where}: expected noise [B, A, M], got [${noise.shape.join(", ")}]`);
  }
  if (!Number.isSafeInteger(numDims) || numDims < 1 || numDims > noise.size(-1)) {
    throw new ConfigError(where, `expected numDims to be a whole number from 1 to ${noise.size(-1)}, got ${numDims}`);
  }
  const numPairs = noise.size(0);
  const losses = new Array<number>(numPairs).fill(0);
  for (let i = 0; i < numTimes; i++) {
    const atTime = noGrad(() =>
      scope(() => {
        const time = full([numPairs], (i + 0.5) / numTimes, "float32", undefined, noise.device);
        const velocity = field(interpolate(noise, actions, time), time);
        const residual = slice(sub(velocity, velocityTarget(noise, actions)), -1, 0, numDims);
        return meanOver(square(residual), [1, 2]).toNumbers();
      }),
    );
    for (const [pair, loss] of atTime.entries()) losses[pair]! += loss / numTimes;
  }
  return losses;
}

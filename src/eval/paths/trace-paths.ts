import { uniformGrid, type VelocityField } from "../../flow/index.js";
import { expectNumSteps } from "../../flow/solvers/solver.js";
import { velocityAtOf } from "../../flow/solvers/velocity-at.js";
import { walk } from "../../flow/solvers/walk.js";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { add, mulScalar, noGrad, scope, slice, type Tensor } from "../../torch/index.js";

/** Every velocity that Euler's method met on its way from noise to actions, over the dimensions of interest. */
export interface PathTrace {
  readonly numSteps: number;
  /** float32 `[B, A, M]` */
  readonly noise: HostArray;
  /** float32 `[numSteps, B, A, M]`; the first are at time 1, those of step k at `1 - k / numSteps` */
  readonly velocities: HostArray;
}

export interface TraceOptions {
  /**
   * 100 if left out. The straightness of few steps is too small: 0 for one by construction, and for a standard normal policy
   * .338 at 5 steps, .379 at 10, .424 at 100, where .429 is exact.
   */
  readonly numSteps?: number;
  /** real action dimensions; all if left out. The padded ones take part in the solve, and are not measured */
  readonly numDims?: number;
}

/**
 * Follows a field by Euler's method and keeps what it met, in host memory: `4 * numSteps * B * A * numDims` bytes. Use batches.
 *
 * @param noise `[B, A, M]`
 * @throws ConfigError for impossible numbers, ShapeError for noise of another shape and as `solve`
 */
export function tracePaths(field: VelocityField, noise: Tensor, options: TraceOptions = {}): PathTrace {
  const where = "eval.tracePaths";
  const { numSteps = 100, numDims = noise.size(-1) } = options;
  expectNumSteps(where, numSteps);
  if (noise.shape.length !== 3) {
    throw new ShapeError(`${where}: expected noise [B, A, M], got [${noise.shape.join(", ")}]`);
  }
  if (!Number.isSafeInteger(numDims) || numDims < 1 || numDims > noise.size(-1)) {
    throw new ConfigError(where, `expected numDims to be a whole number from 1 to ${noise.size(-1)}, got ${numDims}`);
  }
  const cropped = (x: Tensor): HostArray => scope(() => slice(x, -1, 0, numDims).toHost());
  const start = cropped(noise);
  const velocities = new Float32Array(numSteps * start.data.length);
  const velocityAt = velocityAtOf(where, field);
  noGrad(() =>
    walk(noise, Array(numSteps).keys(), (x, k) => {
      const { time, step } = uniformGrid.interval(k, numSteps);
      const velocity = velocityAt(x, time);
      velocities.set(cropped(velocity).data as Float32Array, k * start.data.length);
      return add(x, mulScalar(velocity, step));
    }),
  ).dispose();
  return { numSteps, noise: start, velocities: hostArray("float32", [numSteps, ...start.shape], velocities) };
}

import { ShapeError } from "../support/errors.js";
import { add, mul, reshape, rsubScalar, sub, type Tensor } from "../torch/index.js";

/**
 * The point at `time` on the straight line between noise and actions: `time * noise + (1 - time) * actions`.
 * Exactly the noise at time 1 and exactly the actions at time 0.
 *
 * @param noise `[B, A, M]`
 * @param actions `[B, A, M]`
 * @param time `[B]`, 1 is noise and 0 is actions
 * @throws ShapeError if the shapes differ, or the times are not one per sample
 *
 * Reference: Liu et al. 2022, arXiv:2209.03003, eq. (1); the paper's t is `1 - time`.
 */
export function interpolate(noise: Tensor, actions: Tensor, time: Tensor): Tensor {
  expectSameShape("flow.interpolate", noise, actions);
  if (time.shape.length !== 1 || time.size(0) !== noise.size(0)) {
    throw new ShapeError(
      `flow.interpolate: expected one time for each of ${noise.size(0)} samples, got times of shape [${time.shape.join(", ")}]`,
    );
  }
  const weight = reshape(time, [time.size(0), ...noise.shape.slice(1).map(() => 1)]);
  return add(mul(weight, noise), mul(rsubScalar(weight, 1), actions));
}

/**
 * The constant velocity along that line: `noise - actions`.
 *
 * @throws ShapeError if the shapes differ
 */
export function velocityTarget(noise: Tensor, actions: Tensor): Tensor {
  expectSameShape("flow.velocityTarget", noise, actions);
  return sub(noise, actions);
}

function expectSameShape(where: string, noise: Tensor, actions: Tensor): void {
  if (noise.shape.join() !== actions.shape.join()) {
    throw new ShapeError(
      `${where}: expected noise and actions of one shape, got [${noise.shape.join(", ")}] and [${actions.shape.join(", ")}]`,
    );
  }
}

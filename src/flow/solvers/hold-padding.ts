import { ShapeError } from "../../support/errors.js";
import { cat, mul, reshape, scope, slice, type Tensor } from "../../torch/index.js";
import type { VelocityField } from "../velocity-field.js";

/**
 * A field of the padded width as one of its first, real dimensions, with the padded part held where padded actions of 0
 * and this noise put it at every time: `time * noise`.
 *
 * For `invert`: from padded actions of 0 no noise can be told, so it is drawn, and belongs to the result:
 * `cat([invert(solver, holdPadding(field, noise, numReal), realActions, n), slice(noise, -1, numReal)], -1)`. A round trip
 * is solved with the same field.
 *
 * @param field of points `[B, A, M]`
 * @param noise `[B, A, M]`
 * @param numReal how many dimensions are real, at least 1 and below M
 * @returns a field of points `[B, A, numReal]`
 * @throws ShapeError if there are not so many dimensions, or, when it is asked, for points of another shape
 */
export function holdPadding(field: VelocityField, noise: Tensor, numReal: number): VelocityField {
  const [numSamples, numSteps, width] = noise.shape as [number, number, number];
  if (noise.shape.length !== 3 || !Number.isInteger(numReal) || numReal < 1 || numReal >= width) {
    throw new ShapeError(
      `flow.holdPadding: expected noise of three dimensions whose last is above ${numReal} real ones, got [${noise.shape.join(", ")}]`,
    );
  }
  return (x, time) => {
    if (x.shape.join() !== [numSamples, numSteps, numReal].join()) {
      throw new ShapeError(
        `flow.holdPadding: expected points of shape [${numSamples}, ${numSteps}, ${numReal}], got [${x.shape.join(", ")}]`,
      );
    }
    return scope(() => {
      const padding = mul(reshape(time, [-1, 1, 1]), slice(noise, -1, numReal, width));
      return slice(field(cat([x, padding], -1), time), -1, 0, numReal);
    });
  };
}

import { ShapeError } from "../support/errors.js";
import {
  addScalar,
  constantPad,
  divScalar,
  mulScalar,
  type Tensor,
  toDtype,
  upsampleBilinear2d,
} from "../torch/index.js";

/**
 * Camera images as the vision tower wants them: scaled to fit, padded on the left and the top with black, in [-1, 1].
 *
 * @param images `uint8[B, 3, height, width]`, or float in [0, 1]
 * @param size target width and height; undefined leaves the size as it is
 * @returns float32 `[B, 3, size height, size width] in [-1, 1]`
 */
export function prepareImages(images: Tensor, size: readonly [width: number, height: number] | undefined): Tensor {
  if (images.shape.length !== 4 || images.size(1) !== 3) {
    throw new ShapeError(`smolvla.prepareImages: expected [B, 3, height, width], got [${images.shape.join(", ")}]`);
  }
  const inUnitRange =
    images.dtype === "uint8" ? divScalar(toDtype(images, "float32"), 255) : toDtype(images, "float32");
  const fitted = size === undefined ? inUnitRange : fitWithPadding(inUnitRange, size);
  return addScalar(mulScalar(fitted, 2), -1);
}

/** Bilinear, without antialiasing, aspect kept; sizes are truncated, and what is missing is padded left and top. */
function fitWithPadding(images: Tensor, [width, height]: readonly [number, number]): Tensor {
  const [, , currentHeight, currentWidth] = images.shape as [number, number, number, number];
  const ratio = Math.max(currentWidth / width, currentHeight / height);
  const newHeight = Math.trunc(currentHeight / ratio);
  const newWidth = Math.trunc(currentWidth / ratio);
  if (newHeight === 0 || newWidth === 0) {
    throw new ShapeError(
      `smolvla.prepareImages: expected images that keep a pixel at ${width} x ${height}, got ${currentWidth} x ${currentHeight}`,
    );
  }
  const isSameSize = newHeight === currentHeight && newWidth === currentWidth;
  const resized = isSameSize ? images : upsampleBilinear2d(images, [newHeight, newWidth], false);
  return constantPad(resized, [Math.max(0, width - newWidth), 0, Math.max(0, height - newHeight), 0], 0);
}

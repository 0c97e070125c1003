import { empty, type Generator, normal_, type Tensor } from "../torch/index.js";

/**
 * Standard normal noise for action chunks, drawn on the CPU in float32.
 *
 * The width is always the network's full, padded action width: at inference the noise fills it, so a network that was
 * trained with narrower noise never saw what it is given.
 *
 * @param shape `[B, A, M]`
 */
export const sampleNoise = (shape: readonly [number, number, number], generator: Generator): Tensor =>
  normal_(empty(shape, "float32"), 0, 1, generator);

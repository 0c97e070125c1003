import { type InitialLaw, Linear, Module, type ParameterSource, within } from "../nn/index.js";
import { ShapeError } from "../support/errors.js";
import { permute, reshape, type Tensor } from "../torch/index.js";
import type { VlmConfig } from "./vlm-config.js";

/** Joins squares of neighbouring patches and projects each into one token of the language tower. */
export class Connector extends Module {
  readonly projection: Linear;
  readonly #scaleFactor: number;

  constructor(source: ParameterSource, config: VlmConfig, weightLaw: InitialLaw) {
    super();
    this.#scaleFactor = config.scaleFactor;
    const numInputs = config.vision.hiddenSize * config.scaleFactor ** 2;
    this.projection = new Linear(within(source, "projection"), numInputs, config.text.hiddenSize, {
      bias: false,
      weightLaw,
    });
  }

  /**
   * With s = scale factor, token (y, x) is the concatenation over dy, dx = 0 … s-1 of the patch at row s*y + dy, column
   * s*x + dx (dx fastest). Patches are taken to form a square grid, whatever the image's shape was, as in SmolVLM.
   *
   * @param patches `[B, N, D_vision]`, row by row
   * @returns `[B, N / s^2, D_text]`
   * @throws ShapeError if N is no square or its side no multiple of s, which stock SmolVLM cannot join either
   */
  forward(patches: Tensor): Tensor {
    const s = this.#scaleFactor;
    const [B, N, D] = patches.shape as [number, number, number];
    const side = Math.round(Math.sqrt(N));
    if (side ** 2 !== N || side % s !== 0) {
      throw new ShapeError(
        `smolvla.connector: expected a square number of patches with a side that is a multiple of ${s}, got ${N} patches. ` +
          "Set resize_imgs_with_padding to the vision tower's image size",
      );
    }
    const tokens = side / s;
    const grid = reshape(patches, [B, tokens, s, tokens, s, D]);
    const joined = reshape(permute(grid, [0, 1, 3, 2, 4, 5]), [B, tokens ** 2, s * s * D]); // [B, y, x, dy, dx, D]
    return this.projection.forward(joined);
  }
}

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
   * s*x + dx (dx fastest).
   *
   * @param patches `[B, rows * columns, D_vision]`
   * @returns `[B, rows / s * columns / s, D_text]`
   * @throws ShapeError if the grid is not square or not a multiple of s, which stock SmolVLM cannot join either
   */
  forward(patches: Tensor, numRows: number, numColumns: number): Tensor {
    const s = this.#scaleFactor;
    if (numRows !== numColumns || numRows % s !== 0) {
      throw new ShapeError(
        `smolvla.connector: expected images that are square and a multiple of ${s} patches wide, got ${numRows} x ${numColumns} patches. ` +
          "Set resize_imgs_with_padding to the vision tower's image size",
      );
    }
    const [B, , D] = patches.shape as [number, number, number];
    const [rows, columns] = [numRows / s, numColumns / s];
    const grid = reshape(patches, [B, rows, s, columns, s, D]);
    const joined = reshape(permute(grid, [0, 1, 3, 2, 4, 5]), [B, rows * columns, s * s * D]); // [B, y, x, dy, dx, D]
    return this.projection.forward(joined);
  }
}

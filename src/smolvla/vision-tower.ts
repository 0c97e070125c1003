/**
 * SigLIP vision tower of SmolVLM2: patches of an image to one vector each.
 *
 * Letters: `B` images, `N` patches, `D` width, `E` head width.
 */
import {
  attend,
  Embedding,
  type InitialLaw,
  LayerNorm,
  Linear,
  Module,
  type ParameterSource,
  splitHeads,
  within,
} from "../nn/index.js";
import { ShapeError } from "../support/errors.js";
import { add, conv2d, reshape, scope, type Tensor, tensor, toDevice, toDtype, transpose } from "../torch/index.js";
import type { VisionConfig } from "./vlm-config.js";

const ZERO: InitialLaw = { kind: "constant", value: 0 };

class PatchEmbedding extends Module {
  /** `[D, 3, patch, patch]` */
  readonly weight: Tensor;
  /** `[D]` */
  readonly bias: Tensor;
  readonly #patchSize: number;

  constructor(source: ParameterSource, config: VisionConfig, law: InitialLaw) {
    super();
    const { hiddenSize, numChannels, patchSize } = config;
    this.weight = source("weight", [hiddenSize, numChannels, patchSize, patchSize], law);
    this.bias = source("bias", [hiddenSize], ZERO);
    this.#patchSize = patchSize;
  }

  /** `[B, 3, height, width]` -> `[B, D, rows, columns]` */
  forward(images: Tensor): Tensor {
    const stride = [this.#patchSize, this.#patchSize];
    return conv2d(images, this.weight, this.bias, stride);
  }
}

/** One pre-norm encoder block with full attention. */
class VisionLayer extends Module {
  readonly key: Linear;
  readonly value: Linear;
  readonly query: Linear;
  readonly output: Linear;
  readonly inputNorm: LayerNorm;
  readonly up: Linear;
  readonly down: Linear;
  readonly mlpNorm: LayerNorm;
  readonly #headWidth: number;

  constructor(source: ParameterSource, config: VisionConfig, weightLaw: InitialLaw) {
    super();
    const { hiddenSize: D, intermediateSize, layerNormEps: eps } = config;
    const options = { bias: true, weightLaw, biasLaw: ZERO };
    this.key = new Linear(within(source, "key"), D, D, options);
    this.value = new Linear(within(source, "value"), D, D, options);
    this.query = new Linear(within(source, "query"), D, D, options);
    this.output = new Linear(within(source, "output"), D, D, options);
    this.inputNorm = new LayerNorm(within(source, "inputNorm"), D, eps);
    this.up = new Linear(within(source, "up"), D, intermediateSize, options);
    this.down = new Linear(within(source, "down"), intermediateSize, D, options);
    this.mlpNorm = new LayerNorm(within(source, "mlpNorm"), D, eps);
    this.#headWidth = D / config.numAttentionHeads;
  }

  /** `[B, N, D]` -> `[B, N, D]`. The two halves have a scope each, so that only one holds its memory at a time. */
  forward(x: Tensor): Tensor {
    const attended = scope(() => {
      const normed = this.inputNorm.forward(x);
      const [query, key, value] = [this.query, this.key, this.value].map((projection) =>
        splitHeads(projection.forward(normed), this.#headWidth),
      ) as [Tensor, Tensor, Tensor];
      return add(x, this.output.forward(attend(query, key, value)));
    });
    return scope(() => add(attended, this.down.forward(this.up.forward(this.mlpNorm.forward(attended), "gelu"))));
  }
}

export class VisionTower extends Module {
  readonly patchEmbedding: PatchEmbedding;
  readonly positionEmbedding: Embedding;
  readonly layers: readonly VisionLayer[];
  readonly finalNorm: LayerNorm;
  readonly #patchesPerSide: number;

  constructor(source: ParameterSource, config: VisionConfig, law: InitialLaw) {
    super();
    this.#patchesPerSide = config.imageSize / config.patchSize;
    this.patchEmbedding = new PatchEmbedding(within(source, "patchEmbedding"), config, law);
    this.positionEmbedding = new Embedding(
      within(source, "positionEmbedding"),
      this.#patchesPerSide ** 2,
      config.hiddenSize,
      law,
    );
    this.layers = Array.from(
      { length: config.numHiddenLayers },
      (_, i) => new VisionLayer(within(within(source, "layers"), i), config, law),
    );
    this.finalNorm = new LayerNorm(within(source, "finalNorm"), config.hiddenSize, config.layerNormEps);
  }

  /**
   * @param images `[B, 3, height, width] in [-1, 1]`
   * @returns patches, row by row: `[B, rows * columns, D]`
   */
  forward(images: Tensor): Tensor {
    const embedded = this.patchEmbedding.forward(toDtype(images, this.patchEmbedding.weight.dtype));
    const [B, D, numRows, numColumns] = embedded.shape as [number, number, number, number];
    if (numRows === 0 || numColumns === 0) {
      throw new ShapeError(`smolvla.vision: expected images of at least one patch, got [${images.shape.join(", ")}]`);
    }
    const positions = this.positionEmbedding.forward(toDevice(this.#positionIds(numRows, numColumns), images.device));
    let x = add(transpose(reshape(embedded, [B, D, numRows * numColumns]), 1, 2), positions);
    for (const layer of this.layers) {
      const input = x;
      x = scope(() => layer.forward(input));
    }
    return this.finalNorm.forward(x);
  }

  /**
   * `int64[rows * columns]`. A grid of the trained size is numbered row by row; another one is stretched over the
   * trained grid, with the reference implementation's float32 rounding.
   */
  #positionIds(numRows: number, numColumns: number): Tensor {
    const side = this.#patchesPerSide;
    const boundaries = Array.from({ length: side - 1 }, (_, k) => Math.fround((k + 1) / side));
    const bucket = (i: number, count: number): number => {
      if (count === side) return i;
      const fraction = Math.min(Math.fround(i * Math.fround(1 / count)), Math.fround(1 - 1e-6));
      return boundaries.filter((boundary) => boundary <= fraction).length;
    };
    const ids: number[] = [];
    for (let row = 0; row < numRows; row++) {
      for (let column = 0; column < numColumns; column++)
        ids.push(bucket(row, numRows) * side + bucket(column, numColumns));
    }
    return tensor(ids, [ids.length], "int64");
  }
}

import { type InitialLaw, Linear, Module, type ParameterSource, RmsNorm, splitHeads, within } from "../nn/index.js";
import { add, mul, silu, type Tensor, toDtype } from "../torch/index.js";

export interface DecoderLayerSize {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly rmsNormEps: number;
}

/**
 * A Llama layer without its attention: what the language tower and the action expert share. Who attends to what, and
 * with which positions, is decided by their owners.
 *
 * Letters: `B` batch, `L` tokens, `D` width, `H` query heads, `K` key/value heads, `E` head width.
 */
export class DecoderLayer extends Module {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  readonly gate: Linear;
  readonly up: Linear;
  readonly down: Linear;
  readonly inputNorm: RmsNorm;
  readonly mlpNorm: RmsNorm;
  readonly #headDim: number;

  /** @param crossWidth width of the keys and values that this layer projects, if they are not its own hidden states */
  constructor(source: ParameterSource, size: DecoderLayerSize, weightLaw: InitialLaw, crossWidth?: number) {
    super();
    const { hiddenSize: D, intermediateSize, headDim: E, rmsNormEps } = size;
    const keyValueWidth = size.numKeyValueHeads * E;
    const plain = { bias: false, weightLaw };
    // Layers that read another tower's keys have these two made anew, with PyTorch's default initial law.
    const keyValue = crossWidth === undefined ? plain : { bias: false };
    this.query = new Linear(within(source, "query"), D, size.numAttentionHeads * E, plain);
    this.key = new Linear(within(source, "key"), crossWidth ?? D, keyValueWidth, keyValue);
    this.value = new Linear(within(source, "value"), crossWidth ?? D, keyValueWidth, keyValue);
    this.output = new Linear(within(source, "output"), size.numAttentionHeads * E, D, plain);
    this.gate = new Linear(within(source, "gate"), D, intermediateSize, plain);
    this.up = new Linear(within(source, "up"), D, intermediateSize, plain);
    this.down = new Linear(within(source, "down"), intermediateSize, D, plain);
    this.inputNorm = new RmsNorm(within(source, "inputNorm"), D, rmsNormEps);
    this.mlpNorm = new RmsNorm(within(source, "mlpNorm"), D, rmsNormEps);
    this.#headDim = E;
  }

  /** Queries of normed tokens, not yet rotated: `[B, L, D]` -> `[B, H, L, E]`. */
  queries(normed: Tensor): Tensor {
    return splitHeads(this.query.forward(normed), this.#headDim);
  }

  /** Keys, not yet rotated: `[B, L, D or crossWidth]` -> `[B, K, L, E]`. */
  keys(inputs: Tensor): Tensor {
    return splitHeads(this.key.forward(inputs), this.#headDim);
  }

  /** Values: `[B, L, D or crossWidth]` -> `[B, K, L, E]`. */
  values(inputs: Tensor): Tensor {
    return splitHeads(this.value.forward(inputs), this.#headDim);
  }

  /** The rest of the layer, after attention: residual, then gated MLP. `[B, L, D]`, `[B, L, H * E]` -> `[B, L, D]`. */
  finish(x: Tensor, attended: Tensor): Tensor {
    const projected = this.output.forward(attended);
    // Each sum takes the type of the layer's own output, whatever the type of the residual stream that enters.
    const y = toDtype(add(projected, x), projected.dtype);
    const normed = this.mlpNorm.forward(y);
    const mlp = this.down.forward(mul(silu(this.gate.forward(normed)), this.up.forward(normed)));
    return toDtype(add(mlp, y), mlp.dtype);
  }
}

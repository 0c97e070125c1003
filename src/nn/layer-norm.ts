import { layerNorm, type Tensor, toDtype } from "../torch/index.js";
import { Module } from "./module.js";
import type { ParameterSource } from "./parameter-source.js";

/** `(x - mean) / sqrt(variance + eps) * weight + bias` over the last dimension. */
export class LayerNorm extends Module {
  /** `[D]` */
  readonly weight: Tensor;
  /** `[D]` */
  readonly bias: Tensor;
  readonly #eps: number;

  constructor(source: ParameterSource, width: number, eps: number) {
    super();
    this.weight = source("weight", [width], { kind: "constant", value: 1 });
    this.bias = source("bias", [width], { kind: "constant", value: 0 });
    this.#eps = eps;
  }

  /** `[..., D]` -> `[..., D]` */
  forward(x: Tensor): Tensor {
    return layerNorm(toDtype(x, this.weight.dtype), this.weight.shape, this.weight, this.bias, this.#eps);
  }
}

import { addScalar, meanOver, mul, rsqrt, square, type Tensor, toDtype } from "../torch/index.js";
import { Module } from "./module.js";
import type { ParameterSource } from "./parameter-source.js";

/**
 * `x / sqrt(mean(x^2) + eps) * weight` over the last dimension. The mean is taken in float32, the normed value rounded
 * to the input's type before the weight is applied, as Llama does.
 *
 * Reference: Zhang and Sennrich 2019, arXiv:1910.07467, eq. (4).
 */
export class RmsNorm extends Module {
  /** `[D]` */
  readonly weight: Tensor;
  readonly #eps: number;

  constructor(source: ParameterSource, width: number, eps: number) {
    super();
    this.weight = source("weight", [width], { kind: "constant", value: 1 });
    this.#eps = eps;
  }

  /** `[..., D]` -> `[..., D]` */
  forward(x: Tensor): Tensor {
    const wide = toDtype(x, "float32");
    const scale = rsqrt(addScalar(meanOver(square(wide), [-1], true), this.#eps));
    return mul(this.weight, toDtype(mul(wide, scale), x.dtype));
  }
}

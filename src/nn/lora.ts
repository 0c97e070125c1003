import { linear, matmul, mulScalar, scope, type Tensor, toDtype } from "../torch/index.js";
import { Module } from "./module.js";
import { linearDefault, type ParameterSource } from "./parameter-source.js";

/**
 * A correction of a linear layer by a product of two thin matrices: `scaling * (x @ a.T) @ b.T`. It begins as zero, because
 * b does. Kept and computed in float32, whatever the layer's own type.
 *
 * Letters: `R` rank.
 *
 * Reference: Hu et al. 2021, arXiv:2106.09685; initial values as in PEFT.
 */
export class Lora extends Module {
  /** `[R, numInputs]` */
  readonly a: Tensor;
  /** `[numOutputs, R]` */
  readonly b: Tensor;
  readonly #scaling: number;

  /** @param size `[numOutputs, numInputs]`, the shape of the layer's weight */
  constructor(source: ParameterSource, size: readonly [number, number], rank: number, scaling: number) {
    super();
    const [numOutputs, numInputs] = size;
    this.a = source("a", [rank, numInputs], linearDefault(numInputs));
    this.b = source("b", [numOutputs, rank], { kind: "constant", value: 0 });
    this.#scaling = scaling;
  }

  /** `[..., numInputs]` -> float32 `[..., numOutputs]` */
  forward(x: Tensor): Tensor {
    return scope(() => mulScalar(linear(linear(toDtype(x, "float32"), this.a), this.b), this.#scaling));
  }

  /** What it adds to the layer's weight: float32 `[numOutputs, numInputs]`. */
  delta(a: Tensor = this.a, b: Tensor = this.b): Tensor {
    return scope(() => mulScalar(matmul(b, a), this.#scaling));
  }
}

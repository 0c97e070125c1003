import { type Activation, add, gelu, linear, scope, type Tensor, toDtype } from "../torch/index.js";
import type { Lora } from "./lora.js";
import { Module } from "./module.js";
import { type InitialLaw, linearDefault, type ParameterSource } from "./parameter-source.js";

/** `y = x @ weight.T + bias`. The input is cast to the weight's type, and so is the output. */
export class Linear extends Module {
  /** `[numOutputs, numInputs]` */
  readonly weight: Tensor;
  /** `[numOutputs]` */
  readonly bias: Tensor | undefined;
  /** a low-rank correction that is added to the output */
  lora: Lora | undefined = undefined;

  constructor(
    source: ParameterSource,
    numInputs: number,
    numOutputs: number,
    options: { bias: boolean; weightLaw?: InitialLaw; biasLaw?: InitialLaw },
  ) {
    super();
    this.weight = source("weight", [numOutputs, numInputs], options.weightLaw ?? linearDefault(numInputs));
    this.bias = options.bias ? source("bias", [numOutputs], options.biasLaw ?? linearDefault(numInputs)) : undefined;
  }

  /** `[..., numInputs]` -> `[..., numOutputs]`, followed by the activation (`gelu` by tanh) if there is one. */
  forward(x: Tensor, activation: Activation = "none"): Tensor {
    const { lora } = this;
    if (lora === undefined) return this.#plain(x, activation);
    return scope(() => {
      const plain = this.#plain(x, "none");
      const corrected = toDtype(add(plain, lora.forward(x)), plain.dtype);
      return activation === "none" ? corrected : gelu(corrected, "tanh");
    });
  }

  #plain(x: Tensor, activation: Activation): Tensor {
    return linear(toDtype(x, this.weight.dtype), this.weight, this.bias ?? null, activation);
  }

  /**
   * The weight with the correction in it, a new tensor: float32 `[numOutputs, numInputs]`; undefined without one.
   *
   * @param a in place of the correction's own
   * @param b in place of the correction's own
   */
  mergedWeight(a?: Tensor, b?: Tensor): Tensor | undefined {
    const { lora } = this;
    return lora && scope(() => add(toDtype(this.weight, "float32"), lora.delta(a, b)));
  }
}

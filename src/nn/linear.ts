import { type Activation, linear, type Tensor, toDtype } from "../torch/index.js";
import { Module } from "./module.js";
import { type InitialLaw, linearDefault, type ParameterSource } from "./parameter-source.js";

/** `y = x @ weight.T + bias`. The input is cast to the weight's type, and so is the output. */
export class Linear extends Module {
  /** `[numOutputs, numInputs]` */
  readonly weight: Tensor;
  /** `[numOutputs]` */
  readonly bias: Tensor | undefined;

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
    return linear(toDtype(x, this.weight.dtype), this.weight, this.bias ?? null, activation);
  }
}

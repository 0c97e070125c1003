import { isGradEnabled } from "../autograd.js";
import { linkedSchema, op } from "../operator.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { contiguous } from "./layout.js";
import { gelu } from "./pointwise.js";

export const matmul = op("aten::matmul(Tensor self, Tensor other) -> Tensor");
const atenLinear = op("aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor");
const oneDnnLinear = op(
  "mkldnn::_linear_pointwise(Tensor X, Tensor W, Tensor? B, str attr, Scalar?[] scalars, str? algorithm) -> Tensor",
);

/** What can follow a product; oneDNN applies it before anything is written to memory. `gelu` is the tanh approximation. */
export type Activation = "none" | "gelu";

let hasOneDnn: boolean | undefined;

/** A smaller weight is multiplied before all that follows is looked up. */
const MIN_WEIGHTS = 2 ** 14;

/** Below both of these the kernel's own overhead shows. */
const MIN_ONEDNN_WEIGHTS = 2 ** 17;
const MIN_ONEDNN_PRODUCTS = 2 ** 22;

/**
 * Whether to multiply with oneDNN: on a CPU, in float32, and with nothing to record (that kernel has no gradient). On
 * processors for which MKL has no kernels of its own it is about twice as fast (see `bench/`); elsewhere it is level.
 * Arguments that do not fit are left to ATen, whose errors say what is wrong with them.
 */
function prefersOneDnn(input: Tensor, weight: Tensor, bias: Tensor | null): boolean {
  const numWeights = weight.numElements;
  if (numWeights < MIN_WEIGHTS) return false;
  const [numOutputs, numInputs] = weight.shape;
  if (!numOutputs || weight.shape.length !== 2 || input.shape.at(-1) !== numInputs) return false;
  if (bias !== null && bias.shape.join() !== String(numOutputs)) return false;
  const { numElements } = input;
  if (numElements === 0) return false;
  if (numWeights < MIN_ONEDNN_WEIGHTS && numElements * numOutputs < MIN_ONEDNN_PRODUCTS) return false;
  const given = bias === null ? [input, weight] : [input, weight, bias];
  if (given.some(({ dtype, device }) => dtype !== "float32" || device !== "cpu")) return false;
  if (isGradEnabled() && given.some((tensor) => tensor.requiresGrad)) return false;
  hasOneDnn ??= linkedSchema("mkldnn::_linear_pointwise") !== undefined;
  return hasOneDnn;
}

/** `input @ weight.T + bias`, then the activation; input `[..., in]`, weight `[out, in]`, bias `[out]` or null. */
export function linear(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  activation: Activation = "none",
): Tensor {
  if (!prefersOneDnn(input, weight, bias)) return activate(atenLinear(input, weight, bias), activation);
  return scope(() => {
    // That kernel reads a strided bias as if it were dense, and reorders a strided weight one entry at a time.
    const [denseWeight, denseBias] = [contiguous(weight), bias && contiguous(bias)];
    return oneDnnLinear(input, denseWeight, denseBias, activation, [], activation === "gelu" ? "tanh" : "");
  });
}

/** The activation of a tensor that nobody else holds. */
function activate(product: Tensor, activation: Activation): Tensor {
  if (activation === "none") return product;
  using before = product;
  return gelu(before, "tanh");
}

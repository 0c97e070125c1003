import { isGradEnabled } from "../autograd.js";
import { linkedSchema, op } from "../operator.js";
import type { Tensor } from "../tensor.js";
import { contiguous } from "./layout.js";

export const matmul = op("aten::matmul(Tensor self, Tensor other) -> Tensor");
const atenLinear = op("aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor");
const oneDnnLinear = op(
  "mkldnn::_linear_pointwise(Tensor X, Tensor W, Tensor? B, str attr, Scalar?[] scalars, str? algorithm) -> Tensor",
);

let hasOneDnn: boolean | undefined;

/** A smaller weight is multiplied before all that follows is looked up. */
const MIN_ONEDNN_WEIGHTS = 2 ** 14;

/** With fewer rows a product is bound by memory and the two kernels are alike. */
const MIN_ONEDNN_ROWS = 16;

/** Below this many multiplications the kernel's own overhead shows. */
const MIN_ONEDNN_PRODUCTS = 2 ** 22;

/**
 * Whether to multiply with oneDNN: on a CPU, in float32, and with nothing to record (that kernel has no gradient). On
 * processors for which MKL has no kernels of its own it is about twice as fast (see `bench/`); elsewhere it is level.
 * Arguments that do not fit are left to ATen, whose errors say what is wrong with them.
 */
function prefersOneDnn(input: Tensor, weight: Tensor, bias: Tensor | null): boolean {
  if (weight.numElements < MIN_ONEDNN_WEIGHTS) return false;
  const [numOutputs, numInputs] = weight.shape;
  if (!numOutputs || !numInputs || weight.shape.length !== 2 || input.shape.at(-1) !== numInputs) return false;
  if (bias !== null && bias.shape.join() !== String(numOutputs)) return false;
  const { numElements } = input;
  if (numElements < MIN_ONEDNN_ROWS * numInputs || numElements * numOutputs < MIN_ONEDNN_PRODUCTS) return false;
  const given = bias === null ? [input, weight] : [input, weight, bias];
  if (given.some(({ dtype, device }) => dtype !== "float32" || device !== "cpu")) return false;
  if (isGradEnabled() && given.some((tensor) => tensor.requiresGrad)) return false;
  hasOneDnn ??= linkedSchema("mkldnn::_linear_pointwise") !== undefined;
  return hasOneDnn;
}

/** `input @ weight.T + bias`; input `[..., in]`, weight `[out, in]`, bias `[out]` or null. */
export function linear(input: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  if (!prefersOneDnn(input, weight, bias)) return atenLinear(input, weight, bias);
  if (bias === null) return oneDnnLinear(input, weight, null, "none", [], "");
  const dense = contiguous(bias); // that kernel reads a strided bias as if it were dense
  try {
    return oneDnnLinear(input, weight, dense, "none", [], "");
  } finally {
    dense.dispose();
  }
}

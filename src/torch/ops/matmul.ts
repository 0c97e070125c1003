import { op } from "../operator.js";

export const matmul = op("aten::matmul(Tensor self, Tensor other) -> Tensor");
/** `input @ weight.T + bias`; weight `[out, in]`. */
export const linear = op("aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor");

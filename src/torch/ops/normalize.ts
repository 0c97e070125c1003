import { op } from "../operator.js";

export const layerNorm = op(
  "aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor",
);
export const softmax = op("aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor");

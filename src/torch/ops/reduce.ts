import { op } from "../operator.js";

export const sum = op("aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor");
export const sumOver = op(
  "aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
);
export const mean = op("aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor");
export const meanOver = op(
  "aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
);
export const cumsum = op("aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor");
export const max = op("aten::max(Tensor self) -> Tensor");
export const all = op("aten::all(Tensor self) -> Tensor");
/** The Euclidean norm of all entries, or the p-norm for another `ord`. */
export const vectorNorm = op(
  "aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
);

import { op } from "../operator.js";

export const embedding = op(
  "aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
);
export const indexSelect = op("aten::index_select(Tensor self, int dim, Tensor index) -> Tensor");
export const repeatInterleave = op(
  "aten::repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor",
);

import type { DType } from "../dtype.js";
import { op } from "../operator.js";
import type { Tensor } from "../tensor.js";

export const reshape = op("aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)");
export const view = op("aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)");
export const transpose = op("aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)");
export const permute = op("aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)");
export const unsqueeze = op("aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)");
export const squeeze = op("aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)");
export const expand = op("aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)");
export const contiguous = op(
  "aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=contiguous_format) -> Tensor(a)",
);
export const cat = op("aten::cat(Tensor[] tensors, int dim=0) -> Tensor");
export const stack = op("aten::stack(Tensor[] tensors, int dim=0) -> Tensor");
/** A view of entries `start … end - 1` along one dimension. */
export const slice = op(
  "aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor(a)",
);
export const split = op("aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]");
/** Pads the last dimensions with a constant: `[left, right]` of the last, then of the one before it, and so on. */
export const constantPad = op("aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor");
const toDtypeOp = op(
  "aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
);
const toDeviceOp = op(
  "aten::to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
);

/** The tensor in another element type; the same tensor if it has it already. */
export const toDtype = (x: Tensor, dtype: DType): Tensor => (x.dtype === dtype ? x : toDtypeOp(x, dtype));

/** The tensor on a device; a second handle to the same memory if it is there already. */
export const toDevice = (x: Tensor, device: string, dtype: DType = x.dtype): Tensor => toDeviceOp(x, device, dtype);

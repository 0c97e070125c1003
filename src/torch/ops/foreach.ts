import { op } from "../operator.js";

/** Operators on whole lists of tensors in one call. */
export const foreachNorm = op(
  "aten::_foreach_norm.Scalar(Tensor[] self, Scalar ord=2, ScalarType? dtype=None) -> Tensor[]",
);
export const foreachMul_ = op("aten::_foreach_mul_.Tensor(Tensor(a!)[] self, Tensor other) -> ()");
export const foreachZero_ = op("aten::_foreach_zero_(Tensor(a!)[] self) -> ()");
export const foreachCopy_ = op("aten::_foreach_copy_(Tensor(a!)[] self, Tensor[] src, bool non_blocking=False) -> ()");
/** `self + weight * (end - self)`. */
export const foreachLerp_ = op(
  "aten::_foreach_lerp_.Scalar(Tensor(a!)[] self, Tensor[] tensors1, Scalar weight) -> ()",
);
export const fusedAdamW_ = op(
  "aten::_fused_adamw_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] exp_avgs, Tensor(d!)[] exp_avg_sqs, Tensor(e!)[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()",
);

import {
  addScalar,
  clamp,
  div,
  foreachMul_,
  foreachNorm,
  full,
  noGrad,
  scope,
  stack,
  type Tensor,
  vectorNorm,
} from "../torch/index.js";

/**
 * Scales gradients in place so that their joint Euclidean norm is at most `maxNorm`.
 *
 * @param gradients float32; undefined entries are passed over
 * @returns the norm before clipping, a scalar tensor
 */
export function clipGradients(gradients: readonly (Tensor | undefined)[], maxNorm: number): Tensor {
  const present = gradients.filter((gradient) => gradient !== undefined);
  if (present.length === 0) return full([], 0, "float32");
  return scope(() =>
    noGrad(() => {
      const norm = vectorNorm(stack(foreachNorm(present)));
      // The small constant is PyTorch's: it keeps the factor finite where all gradients vanish.
      const factor = clamp(div(full([], maxNorm, "float32", undefined, norm.device), addScalar(norm, 1e-6)), null, 1);
      foreachMul_(present, factor);
      return norm;
    }),
  );
}

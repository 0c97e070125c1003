import { reshape, scaledDotProductAttention, type Tensor, toDtype, transpose } from "../torch/index.js";

/** `[B, L, H * E]` -> `[B, H, L, E]`, a view. */
export function splitHeads(x: Tensor, headWidth: number): Tensor {
  const [B, L, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [B, L, width / headWidth, headWidth]), 1, 2);
}

/** `[B, H, L, E]` -> `[B, L, H * E]`. */
export function mergeHeads(x: Tensor): Tensor {
  const [B, H, L, E] = x.shape as [number, number, number, number];
  return reshape(transpose(x, 1, 2), [B, L, H * E]);
}

/**
 * softmax(query · keyᵀ / sqrt(E)) · value, where a forbidden key has weight 0.
 *
 * Where the types differ, float32 wins (bfloat16 queries on float32 keys are compared in float32). H is a multiple of K:
 * key head g serves query heads g * H/K … (g + 1) * H/K - 1.
 *
 * @param query `[B, H, L, E]`
 * @param key `[B, K, N, E]`
 * @param value `[B, K, N, E]`
 * @param mask `bool` broadcastable to `[B, H, L, N]`: true where the query may see the key; at least one per query
 * @returns `[B, L, H * E]`
 */
export function attend(query: Tensor, key: Tensor, value: Tensor, mask?: Tensor): Tensor {
  const dtype = query.dtype === key.dtype && key.dtype === value.dtype ? query.dtype : "float32";
  const isGrouped = query.size(1) !== key.size(1);
  return mergeHeads(
    scaledDotProductAttention(
      toDtype(query, dtype),
      toDtype(key, dtype),
      toDtype(value, dtype),
      mask ?? null,
      0,
      false,
      undefined,
      isGrouped,
    ),
  );
}

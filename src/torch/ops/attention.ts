import { op } from "../operator.js";

/** softmax(query @ key.T * scale + attn_mask) @ value, fused; `[..., L, E]`, a float mask is added to the scores. */
export const scaledDotProductAttention = op(
  "aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
);

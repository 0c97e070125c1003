import {
  add,
  arange,
  cat,
  cos,
  div,
  mul,
  mulScalar,
  powOfScalar,
  sin,
  slice,
  sub,
  type Tensor,
  toDtype,
  unsqueeze,
} from "../torch/index.js";

/** Angles of rotary positions, `float32[B, 1, L, E/2]`, ready for `[B, H, L, E]`. */
export interface Rotary {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/**
 * The angles `position / base^(2j/E)` for j = 0 … E/2 - 1.
 *
 * @param positions whole numbers, `[B, L]`
 * @param headWidth E, even
 *
 * Reference: Su et al. 2021, arXiv:2104.09864, eq. (15).
 */
export function rotaryAngles(positions: Tensor, headWidth: number, base: number): Rotary {
  const half = headWidth / 2;
  const exponents = mulScalar(arange(half, "float32", undefined, positions.device), 2 / headWidth);
  const angles = div(unsqueeze(toDtype(positions, "float32"), -1), powOfScalar(base, exponents)); // [B, L, E/2]
  return { cos: unsqueeze(cos(angles), 1), sin: unsqueeze(sin(angles), 1) };
}

/**
 * Rotates queries or keys by their positions: the head's first half is paired with its second half (not even with odd
 * entries). Computed in float32, returned in the input's type.
 *
 * @param x `[B, H, L, E]`
 */
export function rotate(x: Tensor, rotary: Rotary): Tensor {
  const half = x.size(-1) / 2;
  const wide = toDtype(x, "float32");
  const first = slice(wide, -1, 0, half);
  const second = slice(wide, -1, half, 2 * half);
  const rotated = cat(
    [sub(mul(first, rotary.cos), mul(second, rotary.sin)), add(mul(second, rotary.cos), mul(first, rotary.sin))],
    -1,
  );
  return toDtype(rotated, x.dtype);
}

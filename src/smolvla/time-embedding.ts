import {
  cat,
  cos,
  linspace,
  mul,
  mulScalar,
  pow,
  powOfScalar,
  sin,
  type Tensor,
  toDtype,
  unsqueeze,
} from "../torch/index.js";

/**
 * Sines and cosines of time at `width / 2` periods spaced geometrically from `minPeriod` to `maxPeriod`:
 * `[sin(2π time / period_j), cos(2π time / period_j)]`, in float64 (float32 on devices without it).
 *
 * @param time `[B]`, 1 is noise and 0 is actions
 * @param width even, at least 4
 * @returns `[B, width]`
 */
export function timeEmbedding(time: Tensor, width: number, minPeriod: number, maxPeriod: number): Tensor {
  const { device } = time;
  const dtype = device.startsWith("mps") ? "float32" : "float64";
  const fraction = linspace(0, 1, width / 2, dtype, undefined, device);
  const period = mulScalar(powOfScalar(maxPeriod / minPeriod, fraction), minPeriod);
  const angularRate = mulScalar(pow(period, -1), 2 * Math.PI);
  const angle = mul(unsqueeze(angularRate, 0), unsqueeze(toDtype(time, dtype), 1));
  return cat([sin(angle), cos(angle)], 1);
}

import type { TimeLaw } from "./time-law.js";

/**
 * `0.999 * Beta(1.5, 1) + 0.001`: density about `1.5 * sqrt(time)`, more mass at the noise end. What SmolVLA and pi0 are
 * trained with. Beta(1.5, 1) has the distribution function `x^1.5`.
 */
export const betaLaw: TimeLaw = {
  name: "beta",
  quantile: (u) => 0.999 * u ** (2 / 3) + 0.001,
  density: (time) => (time < 0.001 ? 0 : (1.5 * Math.sqrt((time - 0.001) / 0.999)) / 0.999),
};

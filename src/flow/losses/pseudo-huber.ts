import { add, div, full, mul, mulScalar, sqrt, square } from "../../torch/index.js";
import { expectNumber } from "../expect-number.js";
import type { VelocityDistance } from "./velocity-distance.js";

/** Lee et al. 2024, in their released code; the papers on consistency training multiply by the root of m instead. */
const C_PER_ENTRY = 0.00054;

/**
 * `(sqrt(|r|^2 + c^2) - c) / m`: quadratic for samples whose whole difference is far below c, proportional to its norm
 * far above, so that single bad samples pull less. One norm for the whole chunk, not one per entry. As c grows it becomes
 * `|r|^2 / (2 c m)`.
 *
 * Computed as `meanSquare / (sqrt(|r|^2 + c^2) + c)`, which loses no digits to the subtraction.
 *
 * @param c above 0; `0.00054 * m`, the constant of 2-RF++, if left out
 * @throws ConfigError unless c is above 0
 *
 * Reference: Lee et al. 2024, arXiv:2405.20320 (2-RF++), as its released code computes it.
 */
export function makePseudoHuber(c?: number): VelocityDistance {
  if (c !== undefined) expectNumber("flow.distance", "huberC", c, c > 0, "a number above 0");
  return {
    name: "pseudo_huber",
    ofMeanSquare: (meanSquare, numActive) => {
      const constant =
        c === undefined
          ? mulScalar(numActive, C_PER_ENTRY)
          : full([1], c, numActive.dtype, undefined, numActive.device);
      const norm = sqrt(add(mul(meanSquare, numActive), square(constant)));
      return div(meanSquare, add(norm, constant));
    },
  };
}

import type { VelocityDistance } from "./velocity-distance.js";

/**
 * `|r|^2 / m`, the mean squared difference. Its minimiser is the conditional mean, as flow matching requires.
 *
 * Reference: Liu et al. 2022, arXiv:2209.03003, eq. (1).
 */
export const l2: VelocityDistance = { name: "l2", ofMeanSquare: (meanSquare) => meanSquare };

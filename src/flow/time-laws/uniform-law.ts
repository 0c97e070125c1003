import type { TimeLaw } from "./time-law.js";

/** Every time alike: the law of the rectified-flow paper, Liu et al. 2022, arXiv:2209.03003. */
export const uniformLaw: TimeLaw = { name: "uniform", quantile: (u) => u, density: () => 1 };

import type { Tensor } from "../../torch/index.js";

/**
 * A distance of two velocities as a function of their mean squared difference, for each sample.
 *
 * With r the difference and m the number of active entries, `|r|^2 = m * meanSquare`; every distance is given per entry,
 * that is divided by m. Weights are in the mean: `meanSquare = sum(w r^2) / sum(w)`.
 *
 * All of them are 0 exactly where the velocities agree, so on deterministic pairs they share one minimiser, and differ in
 * what a network that cannot reach it gives up. On demonstrations only `l2` has the conditional mean as its minimiser,
 * which is what makes a flow of them.
 */
export interface VelocityDistance {
  readonly name: string;
  /**
   * @param meanSquare `[B]`
   * @param numActive m, of a shape that broadcasts with `[B]`, at least 1
   * @returns `[B]`, differentiable by `meanSquare`
   */
  readonly ofMeanSquare: (meanSquare: Tensor, numActive: Tensor) => Tensor;
}

import type { Tensor } from "../torch/index.js";

/**
 * A velocity field over action chunks: what a solver integrates. The conditioning (images, language, state) is closed
 * over.
 *
 * @param noisyActions `[B, A, M]`
 * @param time `[B]`, 1 is noise and 0 is actions
 * @returns an estimate of `noise - actions`, `[B, A, M]`
 */
export type VelocityField = (noisyActions: Tensor, time: Tensor) => Tensor;

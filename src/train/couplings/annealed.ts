import { annealingBeta, annealNoise, sampleNoise } from "../../flow/index.js";
import { noGrad, scope, toDevice } from "../../torch/index.js";
import type { Coupling } from "./coupling.js";

/**
 * Begins with noises that have nothing to do with their actions, and goes over to the pairs' own within a number of steps:
 * the noise is `sqrt(1 - b^2) noise + b fresh` with b falling linearly from 1 to 0. For students that are no copies of
 * their teacher: they learn an ordinary flow first, then the teacher's.
 *
 * Reference: Zhu et al. 2024, arXiv:2407.12718 (SlimFlow), annealing reflow.
 */
export function annealed(inner: Coupling, numSteps: number, device: string): Coupling {
  return {
    numNoises: inner.numNoises,
    couple: (batch, context, generator) => {
      const pairs = inner.couple(batch, context, generator);
      const beta = annealingBeta(batch.step, numSteps);
      if (beta === 0) return pairs;
      const fresh = toDevice(sampleNoise(pairs.noise.shape as [number, number, number], generator), device);
      return { ...pairs, noise: noGrad(() => scope(() => annealNoise(pairs.noise, fresh, beta))) };
    },
    dispose: () => inner.dispose(),
  };
}

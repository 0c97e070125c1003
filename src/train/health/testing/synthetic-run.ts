import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { deriveSeed } from "../../../support/derive-seed.js";

/** Standard normal numbers from a seed. The first numbers of neighbouring seeds would be alike without a hash. */
export function normals(seed: number): () => number {
  const generator = xoroshiro128plus(deriveSeed(seed, "normals") % 2 ** 32);
  const uniform = (): number => ((generator.next() >>> 0) + 0.5) / 2 ** 32;
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

export interface SyntheticRun {
  readonly seed: number;
  readonly numSteps: number;
  /** the typical loss at the start and at the end, between which it decays */
  readonly from: number;
  readonly to: number;
  /** standard deviation of the logarithms of losses */
  readonly noise: number;
  /** correlation of a loss's noise with the one before */
  readonly correlation: number;
}

/**
 * Losses that decay under noise as flow matching has it: independent or weakly correlated, with a long tail to the top (one in
 * twenty is e^(2 noise) times as large).
 */
export function syntheticLosses({ seed, numSteps, from, to, noise, correlation }: SyntheticRun): number[] {
  const normal = normals(seed);
  let state = normal();
  return Array.from({ length: numSteps }, (_, i) => {
    const trend = Math.log(to) + (Math.log(from) - Math.log(to)) * Math.exp((-5 * i) / numSteps);
    state = correlation * state + Math.sqrt(1 - correlation ** 2) * normal();
    const isOdd = normal() > 1.645;
    return Math.exp(trend + noise * (state + (isOdd ? 2 : 0)));
  });
}

/** Gradient norms that go with losses: their square root, with noise of their own. */
export function syntheticNorms(losses: readonly number[], noise: number, seed: number): number[] {
  const normal = normals(seed);
  return losses.map((loss) => Math.sqrt(loss) * Math.exp(noise * normal()));
}

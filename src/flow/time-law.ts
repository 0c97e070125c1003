import { ConfigError } from "../support/errors.js";
import { didYouMean } from "../support/nearest-name.js";
import { empty, type Generator, type Tensor, tensor, uniform_ } from "../torch/index.js";

/** A law by which training times are drawn; 1 is noise and 0 is actions. */
export interface TimeLaw {
  readonly name: string;
  /** Maps a uniform number in [0, 1) to a time: the inverse of the law's distribution function. */
  readonly quantile: (u: number) => number;
  /** Probability density at a time in (0, 1). */
  readonly density: (time: number) => number;
}

/**
 * `0.999 * Beta(1.5, 1) + 0.001`: density about `1.5 * sqrt(time)`, more mass at the noise end. What SmolVLA and pi0 are
 * trained with. Beta(1.5, 1) has the distribution function `x^1.5`.
 */
export const betaLaw: TimeLaw = {
  name: "beta",
  quantile: (u) => 0.999 * u ** (2 / 3) + 0.001,
  density: (time) => (time < 0.001 ? 0 : (1.5 * Math.sqrt((time - 0.001) / 0.999)) / 0.999),
};

/** Every time alike: the law of the rectified-flow paper. */
export const uniformLaw: TimeLaw = { name: "uniform", quantile: (u) => u, density: () => 1 };

/** Steepness of the U: Lee et al. 2024, arXiv:2405.20320, section 4.1. */
const U_STEEPNESS = 4;
/** Keeps the law off the very ends, where only numerical noise remains to be learnt. */
const U_MARGIN = 1e-5;

/**
 * `a (e^(a time) + e^(a (1 - time))) / (2 (e^a - 1))` with a = 4: most mass at both ends, where the regression of a
 * deterministic coupling is hard, little in the middle, where the point almost determines the pair. For reflow.
 *
 * Reference: Lee et al. 2024, arXiv:2405.20320, as its released code draws it.
 */
export const uShapedLaw: TimeLaw = {
  name: "u_shaped",
  quantile: (u) => {
    const time = 0.5 + Math.asinh((2 * u - 1) * Math.sinh(U_STEEPNESS / 2)) / U_STEEPNESS;
    return Math.min(1 - U_MARGIN, Math.max(U_MARGIN, time));
  },
  density: (time) =>
    (U_STEEPNESS * (Math.exp(U_STEEPNESS * time) + Math.exp(U_STEEPNESS * (1 - time)))) /
    (2 * (Math.exp(U_STEEPNESS) - 1)),
};

export const TIME_LAWS: readonly TimeLaw[] = [betaLaw, uniformLaw, uShapedLaw];

/** @throws ConfigError naming the laws there are */
export function timeLawByName(name: string): TimeLaw {
  const law = TIME_LAWS.find((candidate) => candidate.name === name);
  if (law !== undefined) return law;
  const names = TIME_LAWS.map((candidate) => candidate.name);
  throw new ConfigError("flow.time", `expected one of ${names.join(", ")}, got "${name}"${didYouMean(name, names)}`);
}

/**
 * Draws one time per sample, on the CPU.
 *
 * @param shareAtNoise share of samples put at time 1 exactly, the only time a one-step policy ever sees
 * @returns float32 `[B]`, in [0, 1]
 */
export function sampleTime(law: TimeLaw, batchSize: number, generator: Generator, shareAtNoise = 0): Tensor {
  const draws = uniform_(empty([batchSize, 2], "float64"), 0, 1, generator).toNumbers();
  const times = Array.from({ length: batchSize }, (_, i) =>
    draws[2 * i]! < shareAtNoise ? 1 : law.quantile(draws[2 * i + 1]!),
  );
  return tensor(times);
}

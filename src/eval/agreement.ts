import { ShapeError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";

/**
 * How well samples agree with reference samples that began from the same noises, for the same observations.
 *
 * Below, a and r are a sample and its reference, `E` the mean over observations and noises, and `E[. | o]` the mean over the
 * noises of one observation. Norms are over all entries of a chunk.
 */
export interface Agreement {
  /**
   * `sqrt(E|a - r|^2 / E|r|^2)`. Small also for a policy that ignores its noise, if the noise matters little: read it
   * together with `noiseExplained`.
   */
  readonly relativeError: number | undefined;
  /**
   * `1 - E|a - r|^2 / E|r - E[r|o]|^2`: 1 is a perfect copy, 0 is as good as the mean action of each observation, which
   * is what a policy gives that ignores its noise, and below 0 is worse than that.
   */
  readonly noiseExplained: number | undefined;
  /** `sqrt(E Var(a|o) / E Var(r|o))`: below 1 where modes or variety are lost. */
  readonly spreadRatio: number | undefined;
}

/**
 * Measures agreement; a measure whose denominator is 0 (a reference that is 0, or does not depend on its noise) is
 * undefined.
 *
 * Means of one observation are over its K noises, so `E|r - E[r|o]|^2` comes out too small by the factor `1 - 1/K`; take
 * 16 noises or more.
 *
 * @param samples float32 `[O, K, A, M]`: observations, noises, action steps, real action dimensions, normalised
 * @param reference of the same shape
 * @throws ShapeError if the shapes differ or there are fewer than two noises
 */
export function measureAgreement(samples: HostArray, reference: HostArray): Agreement {
  return agreementOf(agreementSums(samples, reference));
}

/** What one observation adds to the numerators and denominators of `Agreement`. */
export interface AgreementSums {
  /** `sum |a - r|^2` */
  readonly difference: number;
  /** `sum |r|^2` */
  readonly size: number;
  /** `sum |a - E[a|o]|^2` */
  readonly sampleSpread: number;
  /** `sum |r - E[r|o]|^2` */
  readonly referenceSpread: number;
}

/**
 * The sums that `agreementOf` divides, one entry per observation: what a bootstrap over observations draws from.
 *
 * @throws ShapeError as `measureAgreement`
 */
export function agreementSums(samples: HostArray, reference: HostArray): AgreementSums[] {
  const [numObservations, numNoises, numEntries] = expectSamples(samples, reference);
  const [a, r] = [samples.data as Float32Array, reference.data as Float32Array];
  return Array.from({ length: numObservations }, (_, o) => {
    const start = o * numNoises * numEntries;
    let [difference, size] = [0, 0];
    for (let i = start; i < start + numNoises * numEntries; i++) {
      difference += (a[i]! - r[i]!) ** 2;
      size += r[i]! ** 2;
    }
    const spread = (x: Float32Array): number => squaresAroundMean(x, start, numNoises, numEntries);
    return { difference, size, sampleSpread: spread(a), referenceSpread: spread(r) };
  });
}

/** Agreement over some observations: ratios of sums, not means of ratios. */
export function agreementOf(sums: readonly AgreementSums[]): Agreement {
  const total = (name: keyof AgreementSums): number => sums.reduce((sum, part) => sum + part[name], 0);
  const [difference, referenceSpread] = [total("difference"), total("referenceSpread")];
  const share = (part: number, whole: number): number | undefined => (whole === 0 ? undefined : part / whole);
  const root = (value: number | undefined): number | undefined => value && Math.sqrt(value);
  const unexplained = share(difference, referenceSpread);
  return {
    relativeError: root(share(difference, total("size"))),
    noiseExplained: unexplained === undefined ? undefined : 1 - unexplained,
    spreadRatio: root(share(total("sampleSpread"), referenceSpread)),
  };
}

/** `sum over noises and entries of (x - mean over noises)^2` for one observation. */
function squaresAroundMean(x: Float32Array, start: number, numNoises: number, numEntries: number): number {
  let squares = 0;
  for (let entry = start; entry < start + numEntries; entry++) {
    let mean = 0;
    for (let k = 0; k < numNoises; k++) mean += x[entry + k * numEntries]! / numNoises;
    for (let k = 0; k < numNoises; k++) squares += (x[entry + k * numEntries]! - mean) ** 2;
  }
  return squares;
}

function expectSamples(samples: HostArray, reference: HostArray): [number, number, number] {
  const [O = 0, K = 0, A = 0, M = 0] = samples.shape;
  const isFloat = samples.dtype === "float32" && reference.dtype === "float32";
  const isSame = samples.shape.join() === reference.shape.join();
  if (!isFloat || !isSame || samples.shape.length !== 4 || O < 1) {
    throw new ShapeError(
      "eval.measureAgreement: expected two arrays float32 [observations, noises, A, M], " +
        `got ${samples.dtype} [${samples.shape.join(", ")}] and ${reference.dtype} [${reference.shape.join(", ")}]`,
    );
  }
  if (K < 2) {
    throw new ShapeError(`eval.measureAgreement: expected at least 2 noises per observation, got ${K}`);
  }
  return [O, K, A * M];
}

import type { HostArray } from "../../support/host-array.js";
import { chunksOf, expectComparable } from "../samples/expect-samples.js";
import { meanOf } from "../statistics/mean-of.js";
import { distanceBetween } from "./distance-between.js";
import { findModes, type Mode, nearestOf } from "./find-modes.js";

export interface ModeComparison {
  /** share of samples farther than three spreads of the mode from every mode of the reference: actions between two ways */
  readonly betweenModes: number;
  /** the same of the reference's own samples: what is no loss of modes */
  readonly referenceBetweenModes: number;
  /** observations in which the reference has two modes */
  readonly numMultimodal: number;
  /** over those: half the sum over modes of the difference in frequency, 0 to 1; undefined if there are none */
  readonly totalVariation: number | undefined;
  /** over those: entropy of the mode frequencies less the reference's, in nats; below 0 where modes are lost */
  readonly entropyDifference: number | undefined;
}

export interface ModeOptions {
  /**
   * from which mean silhouette on two groups are two modes; 0.7 if left out. Cutting a single normal distribution of one
   * dimension in two has a silhouette of 0.55 to 0.6 already, so the customary 0.5 would find two modes everywhere.
   */
  readonly minSilhouette?: number;
}

/** Within how many spreads of a mode a sample belongs to it. */
const REACH = 3;

/**
 * Whether samples keep the modes of the reference, observation by observation: modes are those of the reference's samples
 * (`findModes`), samples are counted where they are nearest.
 *
 * `totalVariation` of finitely many samples of the same distribution is above 0 (unless the noises are the same); compare
 * with a zero level, as `splitDistance` does.
 *
 * @param samples float32 `[O, K, A, M]`
 * @param reference float32 `[O, K', A, M]`, K' at least 2, better 64
 * @throws ShapeError for other arrays, ConfigError for entries that are no numbers and impossible bounds
 */
export function compareModes(
  samples: HostArray,
  reference: HostArray,
  { minSilhouette = 0.7 }: ModeOptions = {},
): ModeComparison {
  const where = "eval.compareModes";
  const [x, y] = expectComparable(where, samples, reference);
  const between: number[] = [];
  const referenceBetween: number[] = [];
  const variations: number[] = [];
  const entropies: number[] = [];
  for (let o = 0; o < x.numObservations; o++) {
    const [ofX, ofY] = [chunksOf(x, o), chunksOf(y, o)];
    const { modes } = findModes(ofY, minSilhouette);
    between.push(shareBetween(ofX, modes));
    referenceBetween.push(shareBetween(ofY, modes));
    if (modes.length < 2) continue;
    const [p, q] = [frequencies(ofX, modes), frequencies(ofY, modes)];
    variations.push(p.reduce((sum, share, i) => sum + Math.abs(share - q[i]!) / 2, 0));
    entropies.push(entropy(p) - entropy(q));
  }
  return {
    betweenModes: meanOf(between)!,
    referenceBetweenModes: meanOf(referenceBetween)!,
    numMultimodal: variations.length,
    totalVariation: meanOf(variations),
    entropyDifference: meanOf(entropies),
  };
}

const shareBetween = (samples: readonly Float32Array[], modes: readonly Mode[]): number =>
  samples.filter((sample) => modes.every(({ centre, spread }) => distanceBetween(sample, centre) > REACH * spread))
    .length / samples.length;

function frequencies(samples: readonly Float32Array[], modes: readonly Mode[]): number[] {
  const counts = modes.map(() => 0);
  const centres = modes.map(({ centre }) => centre);
  for (const sample of samples) counts[nearestOf(centres, sample)]! += 1 / samples.length;
  return counts;
}

const entropy = (shares: readonly number[]): number =>
  shares.reduce((sum, share) => (share === 0 ? sum : sum - share * Math.log(share)), 0);

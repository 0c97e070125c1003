import { ConfigError } from "../../support/errors.js";
import { distanceBetween } from "./distance-between.js";

export interface Mode {
  readonly centre: Float64Array;
  /** root mean square distance of its samples from the centre, over all entries together */
  readonly spread: number;
  /** of the samples */
  readonly share: number;
}

export interface Modes {
  /** one, or two */
  readonly modes: readonly Mode[];
  /** mean silhouette of the best split in two, accepted or not; undefined for samples that are all the same */
  readonly silhouette: number | undefined;
}

const MAX_ROUNDS = 100;

/**
 * Whether samples of one observation form one group or two: 2-means, accepted if the mean silhouette is large enough. The
 * silhouette of a sample is `(b - a) / max(a, b)`, a and b being its mean distance to its own and to the other group.
 *
 * It begins with the sample farthest from the mean and the one farthest from that, so nothing is drawn. A few lone samples far
 * off are taken for a mode: look at `share`. In many dimensions scatter hides modes, as distances grow with all of it: two modes
 * 2 apart with a scatter of 0.1 in each of 150 entries have a silhouette of about 0.35. Give it the dimensions that matter.
 *
 * @param samples flat chunks of one length, at least two
 * @param minSilhouette above 0 and below 1
 * @throws ConfigError for fewer than two samples and other bounds
 *
 * Reference: Rousseeuw 1987, Journal of Computational and Applied Mathematics 20.
 */
export function findModes(samples: readonly Float32Array[], minSilhouette: number): Modes {
  const where = "eval.findModes";
  if (samples.length < 2) throw new ConfigError(where, `expected at least 2 samples, got ${samples.length}`);
  if (!(minSilhouette > 0 && minSilhouette < 1)) {
    throw new ConfigError(where, `expected minSilhouette to be above 0 and below 1, got ${minSilhouette}`);
  }
  const whole = modeOf(samples, samples.length);
  const farthestFrom = (point: ArrayLike<number>): Float32Array =>
    samples.reduce((best, sample) => (distanceBetween(sample, point) > distanceBetween(best, point) ? sample : best));
  const one = farthestFrom(whole.centre);
  let centres: ArrayLike<number>[] = [one, farthestFrom(one)];
  let labels: number[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = samples.map((sample) => nearestOf(centres, sample));
    const groups = groupsOf(samples, next);
    if (groups.some((group) => group.length === 0)) return { modes: [whole], silhouette: undefined };
    if (next.every((label, i) => label === labels[i])) break;
    labels = next;
    centres = groups.map((group) => modeOf(group, samples.length).centre);
  }
  const silhouette = meanSilhouette(samples, labels);
  const isSplit = silhouette > minSilhouette;
  const modes = isSplit ? groupsOf(samples, labels).map((group) => modeOf(group, samples.length)) : [whole];
  return { modes, silhouette };
}

/** The index of the point that a sample is nearest to. */
export const nearestOf = (points: readonly ArrayLike<number>[], sample: ArrayLike<number>): number => {
  const distances = points.map((point) => distanceBetween(point, sample));
  return distances.indexOf(Math.min(...distances));
};

const groupsOf = (samples: readonly Float32Array[], labels: readonly number[]): Float32Array[][] =>
  [0, 1].map((label) => samples.filter((_, i) => labels[i] === label));

function modeOf(group: readonly Float32Array[], numSamples: number): Mode {
  const centre = new Float64Array(group[0]!.length);
  for (const sample of group) for (const [i, value] of sample.entries()) centre[i]! += value / group.length;
  const squares = group.reduce((sum, sample) => sum + distanceBetween(sample, centre) ** 2, 0);
  return { centre, spread: Math.sqrt(squares / group.length), share: group.length / numSamples };
}

function meanSilhouette(samples: readonly Float32Array[], labels: readonly number[]): number {
  const counts = [0, 1].map((label) => labels.filter((other) => other === label).length);
  let sum = 0;
  for (const [i, sample] of samples.entries()) {
    const own = labels[i]!;
    if (counts[own] === 1) continue; // the silhouette of a lone sample is 0 by definition
    const total = [0, 0];
    for (const [j, other] of samples.entries()) total[labels[j]!]! += distanceBetween(sample, other);
    const [a, b] = [total[own]! / (counts[own]! - 1), total[1 - own]! / counts[1 - own]!];
    if (Math.max(a, b) > 0) sum += (b - a) / Math.max(a, b);
  }
  return sum / samples.length;
}

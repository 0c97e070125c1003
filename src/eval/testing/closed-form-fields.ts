/**
 * Velocity fields of one coordinate that are known in closed form: normal actions, and two modes. Every entry of a chunk is such a
 * coordinate, independent of the others.
 */
import type { VelocityField } from "../../flow/index.js";
import { normalQuantile } from "../../flow/time-laws/normal-quantile.js";
import { hostArray } from "../../support/host-array.js";
import { type Tensor, tensorFromHost } from "../../torch/index.js";

/** A field that treats every entry alike, computed in double precision. */
export const elementwiseField =
  (velocity: (x: number, time: number) => number): VelocityField =>
  (x, time) => {
    const times = time.toNumbers();
    const { shape, data } = x.toHost();
    const size = data.length / times.length;
    const values = Float32Array.from(data as Float32Array, (value, i) => velocity(value, times[Math.floor(i / size)]!));
    return tensorFromHost(hostArray("float32", shape, values));
  };

/** The slope of the velocity of normal actions, `(t s^2 - (1 - t)) / ((1 - t)^2 + t^2 s^2)` with `t = 1 - time`, negated. */
export const gaussianSlope = (spread: number, time: number): number =>
  (time - (1 - time) * spread ** 2) / (time ** 2 + (1 - time) ** 2 * spread ** 2);

/** The exact flow of actions from N(mean, spread^2): carries noise to `mean + spread * noise`. */
export const gaussianField = (spread: number, mean = 0): VelocityField =>
  elementwiseField((x, time) => -mean + gaussianSlope(spread, time) * (x - (1 - time) * mean));

/** The same after one exact reflow: straight. */
export const reflowedGaussianField = (spread: number, mean = 0): VelocityField =>
  elementwiseField((x, time) => {
    const t = 1 - time;
    return -(mean + ((spread - 1) * (x - t * mean)) / (1 + t * (spread - 1)));
  });

/** Within-mode standard deviation of the two modes. */
export const MODE_SPREAD = 0.1;

/** The exact flow of actions from N(centre, 0.1^2) or N(-centre, 0.1^2) with equal odds. */
export const twoModesField = (centre: number): VelocityField =>
  elementwiseField((x, time) => {
    const t = 1 - time;
    const variance = time ** 2 + (t * MODE_SPREAD) ** 2;
    const odds = 1 / (1 + Math.exp((-2 * centre * t * x) / variance));
    const slope = gaussianSlope(MODE_SPREAD, time);
    const towards = (mode: number): number => -mode + slope * (x - t * mode);
    return odds * towards(centre) + (1 - odds) * towards(-centre);
  });

/**
 * A grid of a standard normal variable in place of draws, `normalQuantile((i + 1/2) / count)`, stretched to unit variance: means
 * over it are integrals, without sampling error.
 */
export function normalGrid(count: number): Float64Array {
  const grid = Float64Array.from({ length: count }, (_, i) => normalQuantile((i + 0.5) / count));
  const deviation = Math.sqrt(grid.reduce((sum, value) => sum + value ** 2, 0) / count);
  return grid.map((value) => value / deviation);
}

/** Chunks of one entry each, `[n, 1, 1]`. */
export const column = (values: ArrayLike<number>): Tensor =>
  tensorFromHost(hostArray("float32", [values.length, 1, 1], Float32Array.from(values)));

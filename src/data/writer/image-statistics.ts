import type { Statistic } from "../dataset-stats.js";
import { histogramQuantiles, QUANTILES } from "./histogram-quantiles.js";
import type { FeatureStatistics } from "./numeric-statistics.js";

const NUM_LEVELS = 256;
/** Frames at least this long or wide are thinned to about `TARGET_SIZE`. */
const LARGE_SIZE = 300;
const TARGET_SIZE = 150;

/** How often every level from 0 to 255 occurs among a frame's pixels, `[3, 256]`: all that its statistics depend on. */
export type PixelCounts = Uint32Array;

/** @param packed `[height, width, 3]`; of large frames, every k-th row and column is counted */
export function countPixels(packed: Uint8Array, width: number, height: number): PixelCounts {
  const longer = Math.max(width, height);
  const stride = longer < LARGE_SIZE ? 1 : Math.trunc(longer / TARGET_SIZE);
  const counts = new Uint32Array(3 * NUM_LEVELS);
  for (let y = 0; y < height; y += stride) {
    for (let x = 0; x < width; x += stride) {
      const at = 3 * (y * width + x);
      for (let c = 0; c < 3; c++) counts[c * NUM_LEVELS + packed[at + c]!]!++;
    }
  }
  return counts;
}

/** The frames of an episode whose pixels enter the statistics: all up to about 100, then ever fewer. */
function sampledFrames(numFrames: number): number[] {
  const numSamples = Math.max(Math.min(100, numFrames), Math.min(Math.trunc(numFrames ** 0.75), 10_000));
  const step = numSamples > 1 ? (numFrames - 1) / (numSamples - 1) : 0;
  return Array.from({ length: numSamples }, (_, i) =>
    i === numSamples - 1 ? numFrames - 1 : roundHalfToEven(i * step),
  );
}

/** As NumPy rounds. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function channelStatistics(counts: Float64Array): Readonly<Record<string, number>> {
  const [levels, weights]: [number[], number[]] = [[], []];
  let [total, sum, sumOfSquares] = [0, 0, 0];
  for (const [level, count] of counts.entries()) {
    if (count === 0) continue;
    levels.push(level);
    weights.push(count);
    total += count;
    sum += count * level;
    // LeRobot 0.4.4 squares bytes as bytes, which wraps at 256.
    sumOfSquares += count * ((level * level) % NUM_LEVELS);
  }
  const mean = sum / total;
  const std = Math.sqrt(Math.max(0, sumOfSquares / total - mean * mean));
  const quantiles = histogramQuantiles(levels, weights, (value) => value);
  return { min: levels[0]!, max: levels.at(-1)!, mean, std, ...quantiles };
}

/**
 * The statistics of a camera over an episode, as stock LeRobot 0.4.4 writes them: per channel over the pixels of a sample
 * of the frames, divided by 255, each `[3, 1, 1]`; the count is that of the sampled frames.
 *
 * The standard deviation is wrong as it is there: its squares of bytes overflow. It is written for agreement, and because
 * SmolVLA does not normalise images with it.
 *
 * @param frames every frame's counts, at least one
 *
 * Reference: LeRobot 0.4.4, `sample_images` and `get_feature_stats` in `datasets/compute_stats.py`.
 */
export function imageStatistics(frames: readonly PixelCounts[]): FeatureStatistics {
  const sample = sampledFrames(frames.length);
  const channels = [0, 1, 2].map((c) => {
    const counts = new Float64Array(NUM_LEVELS);
    for (const frame of sample) {
      for (let level = 0; level < NUM_LEVELS; level++) counts[level]! += frames[frame]![c * NUM_LEVELS + level]!;
    }
    return channelStatistics(counts);
  });
  const statistic = (name: string): readonly [string, Statistic] => [
    name,
    { shape: [3, 1, 1], values: channels.map((channel) => channel[name]! / 255) },
  ];
  return new Map([
    ...["min", "max", "mean", "std"].map(statistic),
    ["count", { shape: [1], values: [sample.length] }] as const,
    ...Object.keys(QUANTILES).map(statistic),
  ]);
}

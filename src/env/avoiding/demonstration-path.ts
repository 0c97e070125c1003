import type { SeededRandom } from "../seeded-random.js";
import { gapsOfMode } from "./mode-recorder.js";
import { monotoneCurve } from "./monotone-curve.js";
import type { Point } from "./scene.js";

/** The levels' y, and the middles of the gaps that each leaves, from left to right. */
const LEVELS = [
  { y: -0.1, gaps: [0.42, 0.58] },
  { y: 0.08, gaps: [0.35, 0.5, 0.65] },
  { y: 0.26, gaps: [0.27, 0.425, 0.575, 0.73] },
] as const;

/** paths end here, well beyond the finish line, so that a rod that lags behind crosses it too */
const END_Y = 0.41;

/** lateral deviation from the middles of gaps: standard deviation, and how far apart in y deviations are drawn; in metres */
const DEVIATION = { size: 0.006, spacing: 0.06 } as const;

const RESOLUTION = 0.0005;

/** The way through the middles of a mode's gaps: x at each y. */
export function middleOfMode(mode: string, [startX, startY]: Point): (y: number) => number {
  const gaps = gapsOfMode(mode)!;
  const middles = LEVELS.map((level, i) => level.gaps[gaps[i]!]!);
  return monotoneCurve([startY, ...LEVELS.map(({ y }) => y), END_Y], [startX, ...middles, middles[2]!]);
}

/**
 * A smooth way from a start through the gaps of a mode, as densely spaced points: through the middles of the gaps, with
 * deviations to the sides that are drawn every 6 cm and joined smoothly. It may touch an obstacle.
 */
export function demonstrationPath(mode: string, start: Point, random: SeededRandom): Point[] {
  const middle = middleOfMode(mode, start);
  const numKnots = Math.ceil((END_Y - start[1]) / DEVIATION.spacing) + 1;
  const knots = Array.from({ length: numKnots }, (_, i) => start[1] + i * DEVIATION.spacing);
  const deviation = monotoneCurve(
    knots,
    knots.map((_, i) => (i === 0 ? 0 : DEVIATION.size * random.normal())),
  );
  const numPoints = Math.ceil((END_Y - start[1]) / RESOLUTION) + 1;
  return Array.from({ length: numPoints }, (_, i) => {
    const y = start[1] + ((END_Y - start[1]) * i) / (numPoints - 1);
    return [middle(y) + deviation(y), y];
  });
}

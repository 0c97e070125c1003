import { meanOf } from "../statistics/mean-of.js";
import { quantile } from "../statistics/quantile.js";
import { expectTrace } from "./expect-trace.js";
import type { PathTrace } from "./trace-paths.js";

/** How far velocities at one time are from their path's mean velocity: mean and range over paths. */
export interface VelocityDeviation {
  /** 1 at the noise */
  readonly time: number;
  readonly mean: number;
  /** a tenth of the paths is below */
  readonly low: number;
  /** a tenth of the paths is above */
  readonly high: number;
}

/**
 * `|u - D|^2` against time, a mean over the entries of a chunk: where on the way the curvature sits. The mean over times is the
 * straightness.
 *
 * @returns one row per step, from time 1 on
 * @throws ShapeError for arrays that are no trace, ConfigError for velocities that are no numbers
 */
export function velocityDeviation(trace: PathTrace): VelocityDeviation[] {
  const { numPaths, numEntries, numSteps, velocities } = expectTrace("eval.velocityDeviation", trace);
  const size = numPaths * numEntries;
  const displacement = new Float64Array(size);
  for (let i = 0; i < velocities.length; i++) displacement[i % size]! += velocities[i]! / numSteps;
  return Array.from({ length: numSteps }, (_, k) => {
    const squares = new Float64Array(numPaths);
    for (let i = 0; i < size; i++) {
      squares[Math.floor(i / numEntries)]! += (velocities[k * size + i]! - displacement[i]!) ** 2 / numEntries;
    }
    return {
      time: 1 - k / numSteps,
      mean: meanOf(squares)!,
      low: quantile(squares, 0.1),
      high: quantile(squares, 0.9),
    };
  });
}

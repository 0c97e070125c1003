import { expectTrace } from "./expect-trace.js";
import type { PathTrace } from "./trace-paths.js";

/**
 * The shape of one path from noise to actions.
 *
 * Below, `u` is the velocity along the path, `D = noise - actions` the mean of it over the steps, and norms are root mean squares
 * over the entries of the chunk, so that chunks of any size compare.
 */
export interface PathShape {
  /** `mean over steps of |u - D|^2`: 0 if the path is straight and of constant speed */
  readonly deviation: number;
  /** `|D|^2` */
  readonly cost: number;
  /** `mean over steps of |u|^2`, which is `deviation + cost` */
  readonly energy: number;
  /** `mean over steps of |u|`, at least `|D|` */
  readonly length: number;
  /** mean over steps of the angle between u and D, in degrees; undefined where one of them is 0 */
  readonly angleDegrees: number | undefined;
}

/** Below this share of the energy a displacement is the rounding of float32. */
const NO_DISPLACEMENT = 1e-12;

/**
 * The shapes of all paths of a trace, one by one: what `measureStraightness` averages.
 *
 * @throws ShapeError for arrays that are no trace, ConfigError for velocities that are no numbers
 */
export function pathShapes(trace: PathTrace): PathShape[] {
  const { numPaths, numEntries, numSteps, velocities } = expectTrace("eval.pathShapes", trace);
  const displacement = new Float64Array(numEntries);
  return Array.from({ length: numPaths }, (_, path) => {
    const startOf = (step: number): number => (step * numPaths + path) * numEntries;
    displacement.fill(0);
    for (let k = 0; k < numSteps; k++) {
      for (let i = 0; i < numEntries; i++) displacement[i]! += velocities[startOf(k) + i]! / numSteps;
    }
    const cost = meanSquare(displacement, 0, numEntries);
    let [deviation, energy, length, angles, numAngles] = [0, 0, 0, 0, 0];
    for (let k = 0; k < numSteps; k++) {
      const start = startOf(k);
      const speedSquared = meanSquare(velocities, start, numEntries);
      energy += speedSquared / numSteps;
      length += Math.sqrt(speedSquared) / numSteps;
      for (let i = 0; i < numEntries; i++) {
        deviation += (velocities[start + i]! - displacement[i]!) ** 2 / (numEntries * numSteps);
      }
      if (speedSquared === 0) continue;
      angles += angleBetween(velocities, start, Math.sqrt(speedSquared), displacement, Math.sqrt(cost));
      numAngles += 1;
    }
    const hasAngle = numAngles > 0 && cost > NO_DISPLACEMENT * energy;
    return { deviation, cost, energy, length, angleDegrees: hasAngle ? angles / numAngles : undefined };
  });
}

const meanSquare = (values: ArrayLike<number>, start: number, count: number): number => {
  let sum = 0;
  for (let i = start; i < start + count; i++) sum += values[i]! ** 2;
  return sum / count;
};

/** `2 atan2(|a - b|, |a + b|)` of unit vectors, which loses no digits at small angles as the arc cosine would. */
function angleBetween(
  velocities: Float32Array,
  start: number,
  speed: number,
  displacement: Float64Array,
  distance: number,
): number {
  let [apart, together] = [0, 0];
  for (const [i, d] of displacement.entries()) {
    const [a, b] = [velocities[start + i]! / speed, d / distance];
    apart += (a - b) ** 2;
    together += (a + b) ** 2;
  }
  return (2 * Math.atan2(Math.sqrt(apart), Math.sqrt(together)) * 180) / Math.PI;
}

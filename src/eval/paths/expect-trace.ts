import { ShapeError } from "../../support/errors.js";
import { numElements } from "../../support/host-array.js";
import { expectFinite } from "../samples/expect-samples.js";
import type { PathTrace } from "./trace-paths.js";

/** A trace, checked; the velocity of a step, a path and an entry is at `(step * numPaths + path) * numEntries + entry`. */
export interface CheckedTrace {
  readonly numSteps: number;
  readonly numPaths: number;
  /** of one chunk */
  readonly numEntries: number;
  readonly noise: Float32Array;
  readonly velocities: Float32Array;
}

/** @throws ShapeError for arrays that are no trace, ConfigError for velocities that are no numbers */
export function expectTrace(where: string, { numSteps, noise, velocities }: PathTrace): CheckedTrace {
  const isFloat = noise.dtype === "float32" && velocities.dtype === "float32";
  const fits = velocities.shape.join() === [numSteps, ...noise.shape].join() && noise.shape.length === 3;
  if (!isFloat || !fits || numElements(velocities.shape) === 0) {
    throw new ShapeError(
      `${where}: expected float32 noise [B, A, M] and velocities [${numSteps}, B, A, M], ` +
        `got ${noise.dtype} [${noise.shape.join(", ")}] and ${velocities.dtype} [${velocities.shape.join(", ")}]`,
    );
  }
  const [data, start] = [velocities.data as Float32Array, noise.data as Float32Array];
  expectFinite(where, "velocities", data);
  const numPaths = noise.shape[0]!;
  return { numSteps, numPaths, numEntries: numElements(noise.shape.slice(1)), noise: start, velocities: data };
}

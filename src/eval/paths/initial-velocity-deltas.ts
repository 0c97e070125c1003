import { ShapeError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import { expectFinite } from "../samples/expect-samples.js";
import { expectTrace } from "./expect-trace.js";
import type { PathTrace } from "./trace-paths.js";

/**
 * `|u(noise, 1) - (noise - actions)|^2` of each path, a mean over the entries of a chunk: the squared error of one Euler step
 * against the well-solved actions.
 *
 * @param actions float32 `[B, A, M]`, where a good solver carries the trace's noise
 * @returns one number per path
 * @throws ShapeError if they are not of the trace's paths, ConfigError for entries that are no numbers
 */
export function initialVelocityDeltas(trace: PathTrace, actions: HostArray): number[] {
  const where = "eval.initialVelocityDeltas";
  const { numPaths, numEntries, noise, velocities } = expectTrace(where, trace);
  if (actions.dtype !== "float32" || actions.shape.join() !== trace.noise.shape.join()) {
    throw new ShapeError(
      `${where}: expected actions float32 [${trace.noise.shape.join(", ")}] as the noise, ` +
        `got ${actions.dtype} [${actions.shape.join(", ")}]`,
    );
  }
  const reached = actions.data as Float32Array;
  expectFinite(where, "actions", reached);
  const deltas = new Array<number>(numPaths).fill(0);
  for (let i = 0; i < reached.length; i++) {
    deltas[Math.floor(i / numEntries)]! += (velocities[i]! - (noise[i]! - reached[i]!)) ** 2 / numEntries;
  }
  return deltas;
}

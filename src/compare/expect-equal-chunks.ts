import { actionDim, type SmolVLAConfig } from "../smolvla/config.js";
import { ConfigError } from "../support/errors.js";
import { type HostArray, hostArray } from "../support/host-array.js";

/** A policy that is to be compared. */
export interface NamedConfig {
  readonly name: string;
  readonly config: SmolVLAConfig;
}

/**
 * Chunks are compared entry by entry, from the same noise: they must be of one size, padding included.
 *
 * @throws ConfigError naming both policies
 */
export function expectEqualChunks([teacher, ...others]: readonly NamedConfig[]): void {
  const chunkOf = ({ config }: NamedConfig): string =>
    `[${config.chunkSize}, ${actionDim(config)}] padded to ${config.maxActionDim}`;
  const other = others.find((policy) => chunkOf(policy) !== chunkOf(teacher!));
  if (other === undefined) return;
  throw new ConfigError(
    "compare",
    `expected policies with chunks of one size, got ${chunkOf(teacher!)} of "${teacher!.name}" and ${chunkOf(other)} of ` +
      `"${other.name}". They cannot be compared noise by noise`,
  );
}

/** Chunks `[1, 2, 1, M]` of zeros and of ones: an affine normalisation is known by what it makes of them. */
export const unitChunks = (numDims: number, numSteps: number): HostArray =>
  hostArray(
    "float32",
    [1, 2, numSteps, numDims],
    Float32Array.from({ length: 2 * numSteps * numDims }, (_, i) => (i < numSteps * numDims ? 0 : 1)),
  );

/** Share by which statistics may differ that were rounded or computed in another order. */
const TOLERANCE = 1e-4;

/**
 * Normalised actions are compared as they are: they must mean the same.
 *
 * @param teacher and `other`: what `unitChunks` are in the robot's units
 * @throws ConfigError naming both policies
 */
export function expectEqualUnits(
  teacher: { readonly name: string; readonly units: HostArray },
  other: { readonly name: string; readonly units: HostArray },
): void {
  const [a, b] = [teacher.units.data as Float32Array, other.units.data as Float32Array];
  const scale = a.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  if (a.every((value, i) => Math.abs(value - b[i]!) <= TOLERANCE * scale)) return;
  throw new ConfigError(
    "compare",
    `expected policies that normalise actions alike, got other statistics in "${teacher.name}" and "${other.name}". Compare ` +
      "policies of one teacher, or in closed loop alone",
  );
}

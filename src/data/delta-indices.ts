import { DatasetError } from "../support/errors.js";
import { didYouMean } from "../support/nearest-name.js";
import type { DatasetMetadata } from "./dataset-metadata.js";

/** Per feature, which frames around the current one an item holds, in seconds relative to it. */
export type DeltaTimestamps = Readonly<Record<string, readonly number[]>>;

/** Per feature, the same as whole frames. */
export type DeltaIndices = ReadonlyMap<string, readonly number[]>;

/**
 * What an action-chunk policy asks for: the current frame of every observation and the next A actions. Only the feature
 * named exactly `action` is chunked, as in stock LeRobot.
 *
 * @param chunkSize A, number of action steps
 */
export function chunkDeltaIndices(metadata: DatasetMetadata, chunkSize: number): DeltaIndices {
  const deltas = new Map<string, readonly number[]>();
  for (const name of metadata.features.keys()) {
    if (name === "action") {
      deltas.set(
        name,
        Array.from({ length: chunkSize }, (_, i) => i),
      );
    } else if (name.startsWith("observation.")) {
      deltas.set(name, [0]);
    }
  }
  return deltas;
}

/** To the even neighbour at a half, as Python rounds. */
const roundHalfToEven = (x: number): number => {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2 === 0 ? 0 : 1) : Math.round(x);
};

/**
 * Seconds to frames.
 *
 * @throws DatasetError for a feature that the dataset does not have or that items do not hold, and for times that are not
 *   multiples of `1 / fps` within the tolerance
 */
export function resolveDeltaTimestamps(
  metadata: DatasetMetadata,
  deltaTimestamps: DeltaTimestamps,
  toleranceS: number,
): DeltaIndices {
  const { fps, features, root } = metadata;
  return new Map(
    Object.entries(deltaTimestamps).map(([name, seconds]) => {
      const kind = features.get(name)?.kind;
      if (kind === undefined || kind === "text" || kind === "other") {
        const problem = kind === undefined ? "no such feature" : "a feature of text or objects";
        throw new DatasetError(
          `${root}: expected deltaTimestamps of features with numbers or frames, got ${problem} "${name}"` +
            (kind === undefined ? didYouMean(name, [...features.keys()]) : ""),
        );
      }
      const misfits = seconds.filter((s) => !(Math.abs(s * fps - Math.round(s * fps)) / fps <= toleranceS));
      if (misfits.length > 0) {
        throw new DatasetError(
          `${root}: expected deltaTimestamps of ${name} to be multiples of 1/${fps} s within ${toleranceS} s, got ${misfits.join(", ")}`,
        );
      }
      return [name, seconds.map((s) => roundHalfToEven(s * fps))];
    }),
  );
}

import { ConfigError, ShapeError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import { expectFinite } from "../samples/expect-samples.js";

export interface SmoothnessRequest {
  /** float32 `[N, A, M]`, in the order in which they were asked for: each begins where the one before it was left */
  readonly chunks: HostArray;
  /** float32 `[N', A', M]`, stretches of demonstrations, at least 4 steps long */
  readonly demonstrations: HostArray;
  /** how many steps of a chunk are executed before the next, 1 to A */
  readonly numActionSteps: number;
  /** actions per second */
  readonly frequencyHz: number;
}

/** Ratios are to demonstrations: 1 is as smooth as a person. */
export interface Smoothness {
  /** `E|a_(h+3) - 3 a_(h+2) + 3 a_(h+1) - a_h| f^3` within chunks, per cubic second; undefined for chunks below 4 steps */
  readonly jerk: number | undefined;
  readonly jerkRatio: number | undefined;
  /** `E|first action of a chunk - last executed action before it|`; undefined for a single chunk */
  readonly boundaryJump: number | undefined;
  /** over the mean change from one action of a demonstration to the next, as demonstrations have no boundaries */
  readonly boundaryJumpRatio: number | undefined;
}

/**
 * How smoothly a policy moves, within chunks and from one to the next.
 *
 * Norms run over action dimensions: give normalised actions, or leave out dimensions that switch, such as a gripper. Chunks of
 * several episodes are to be measured one by one, or the step from one to the next counts as a jump. A policy that stands still
 * is smooth: a ratio well below 1 is no praise.
 *
 * @throws ShapeError for other arrays, ConfigError for entries that are no numbers and impossible settings
 */
export function measureSmoothness({
  chunks,
  demonstrations,
  numActionSteps,
  frequencyHz,
}: SmoothnessRequest): Smoothness {
  const where = "eval.measureSmoothness";
  const [policy, person] = [readChunks(where, "chunks", chunks), readChunks(where, "demonstrations", demonstrations)];
  if (person.length < 4 || person.numDims !== policy.numDims) {
    throw new ShapeError(
      `${where}: expected demonstrations of at least 4 steps and ${policy.numDims} dimensions, ` +
        `got [${demonstrations.shape.join(", ")}]`,
    );
  }
  if (!Number.isSafeInteger(numActionSteps) || numActionSteps < 1 || numActionSteps > policy.length) {
    throw new ConfigError(
      where,
      `expected numActionSteps to be a whole number from 1 to ${policy.length}, got ${numActionSteps}`,
    );
  }
  if (!(frequencyHz > 0 && Number.isFinite(frequencyHz))) {
    throw new ConfigError(where, `expected frequencyHz to be a number above 0, got ${frequencyHz}`);
  }
  const over = (value: number | undefined, base: number | undefined): number | undefined =>
    value === undefined || !base ? undefined : value / base;
  const jerk = over(meanDifference(policy, [-1, 3, -3, 1]), frequencyHz ** -3);
  const boundaryJump = meanJump(policy, numActionSteps);
  return {
    jerk,
    jerkRatio: over(jerk, over(meanDifference(person, [-1, 3, -3, 1]), frequencyHz ** -3)),
    boundaryJump,
    boundaryJumpRatio: over(boundaryJump, meanDifference(person, [-1, 1])),
  };
}

interface Chunks {
  readonly count: number;
  readonly length: number;
  readonly numDims: number;
  readonly data: Float32Array;
}

/** The mean over chunks and places of the norm of neighbouring actions combined with these weights. */
function meanDifference({ count, length, numDims, data }: Chunks, weights: readonly number[]): number | undefined {
  const places = length - weights.length + 1;
  if (places < 1) return undefined;
  let sum = 0;
  for (let chunk = 0; chunk < count; chunk++) {
    for (let place = 0; place < places; place++) {
      const start = (chunk * length + place) * numDims;
      let square = 0;
      for (let dim = 0; dim < numDims; dim++) {
        let combined = 0;
        for (const [i, weight] of weights.entries()) combined += weight * data[start + i * numDims + dim]!;
        square += combined ** 2;
      }
      sum += Math.sqrt(square);
    }
  }
  return sum / (count * places);
}

function meanJump({ count, length, numDims, data }: Chunks, numActionSteps: number): number | undefined {
  if (count < 2) return undefined;
  let sum = 0;
  for (let chunk = 1; chunk < count; chunk++) {
    const [first, last] = [chunk * length, (chunk - 1) * length + numActionSteps - 1];
    let square = 0;
    for (let dim = 0; dim < numDims; dim++) square += (data[first * numDims + dim]! - data[last * numDims + dim]!) ** 2;
    sum += Math.sqrt(square);
  }
  return sum / (count - 1);
}

function readChunks(where: string, name: string, { dtype, shape, data }: HostArray): Chunks {
  const [count = 0, length = 0, numDims = 0] = shape;
  if (dtype !== "float32" || shape.length !== 3 || Math.min(count, length, numDims) < 1) {
    throw new ShapeError(`${where}: expected ${name} float32 [N, A, M], got ${dtype} [${shape.join(", ")}]`);
  }
  expectFinite(where, name, data as Float32Array);
  return { count, length, numDims, data: data as Float32Array };
}

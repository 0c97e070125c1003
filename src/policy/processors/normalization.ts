import type { NormalizationMode } from "../../smolvla/config.js";
import { CheckpointError, ShapeError } from "../../support/errors.js";
import { type HostArray, hostArray, numElements } from "../../support/host-array.js";
import { toFloat32 } from "./statistics.js";

/**
 * Normalisation of one array with the statistics of its feature, equal to the last bit to LeRobot's float32 arithmetic:
 * every operation is rounded to float32 before the next.
 *
 * | mode      | normalised                    | and back               |
 * |-----------|-------------------------------|------------------------|
 * | MEAN_STD  | `(x - mean) / (std + eps)`    | `x * std + mean`       |
 * | MIN_MAX   | `2 * (x - min) / range - 1`   | `(x + 1) / 2 * range + min` |
 * | QUANTILES | `2 * (x - q01) / range - 1`   | `(x + 1) * range / 2 + q01` |
 * | QUANTILE10| as QUANTILES with q10 and q90 | as QUANTILES           |
 *
 * `range` is the difference of the two statistics, or eps where they are equal. Note that MEAN_STD goes back without eps.
 */

/** The two statistics that a mode needs: the offset first. */
const NEEDED: Readonly<Record<NormalizationMode, readonly [string, string] | undefined>> = {
  IDENTITY: undefined,
  MEAN_STD: ["mean", "std"],
  MIN_MAX: ["min", "max"],
  QUANTILES: ["q01", "q99"],
  QUANTILE10: ["q10", "q90"],
};

/** Names of the statistics that a mode needs; none for IDENTITY. */
export const neededStatistics = (mode: NormalizationMode): readonly string[] => NEEDED[mode] ?? [];

const { fround } = Math;

/** One operation per entry: `offset` is the first statistic, `scale` the second one, std + eps, or the range. */
type Formula = (x: number, offset: number, scale: number) => number;

const FORWARD: Formula = (x, offset, range) => fround(fround(fround(2 * fround(x - offset)) / range) - 1);
const FORMULAS: Readonly<Record<Exclude<NormalizationMode, "IDENTITY">, { forward: Formula; inverse: Formula }>> = {
  MEAN_STD: {
    forward: (x, mean, stdPlusEps) => fround(fround(x - mean) / stdPlusEps),
    inverse: (x, mean, std) => fround(fround(x * std) + mean),
  },
  MIN_MAX: {
    forward: FORWARD,
    inverse: (x, min, range) => fround(fround(fround(fround(x + 1) / 2) * range) + min),
  },
  QUANTILES: {
    forward: FORWARD,
    inverse: (x, low, range) => fround(fround(fround(fround(x + 1) * range) / 2) + low),
  },
  QUANTILE10: {
    forward: FORWARD,
    inverse: (x, low, range) => fround(fround(fround(fround(x + 1) * range) / 2) + low),
  },
};

export interface NormalizationRequest {
  /** what the user knows the array by, for messages */
  readonly feature: string;
  readonly mode: NormalizationMode;
  readonly direction: "normalize" | "unnormalize";
  readonly statistics: ReadonlyMap<string, HostArray>;
  readonly eps: number;
}

/**
 * A new float32 array of the same shape. Statistics are broadcast from the right: `[M]` over `[B, A, M]`, `[3, 1, 1]` over
 * `[B, 3, height, width]`.
 *
 * @throws CheckpointError if a statistic that the mode needs is missing
 * @throws ShapeError if the statistics do not fit the array
 */
export function normalizeArray(array: HostArray, request: NormalizationRequest): HostArray {
  const { mode, direction, feature } = request;
  if (mode === "IDENTITY") return array;
  const [offset, second] = NEEDED[mode]!.map((stat) => {
    const statistic = request.statistics.get(stat);
    if (statistic === undefined) {
      throw new CheckpointError(
        `statistics of "${feature}": expected ${neededStatistics(mode).join(" and ")} for ${mode}, got only ` +
          `${[...request.statistics.keys()].join(", ") || "none"}. Compute the dataset's statistics again`,
      );
    }
    return repeatOver(statistic, array.shape, feature);
  }) as [Float32Array, Float32Array];
  const scale = scaleOf(mode, direction, offset, second, fround(request.eps));
  const formula = FORMULAS[mode][direction === "normalize" ? "forward" : "inverse"];
  const input = toFloat32(array).data as Float32Array;
  const output = new Float32Array(input.length);
  const period = offset.length;
  for (let start = 0; start < input.length; start += period) {
    for (let i = 0; i < period; i++) output[start + i] = formula(input[start + i]!, offset[i]!, scale[i]!);
  }
  return hostArray("float32", array.shape, output);
}

function scaleOf(
  mode: NormalizationMode,
  direction: NormalizationRequest["direction"],
  offset: Float32Array,
  second: Float32Array,
  eps: number,
): Float32Array {
  if (mode === "MEAN_STD") return direction === "unnormalize" ? second : second.map((std) => std + eps);
  return second.map((high, i) => {
    const range = fround(high - offset[i]!);
    return range === 0 ? eps : range;
  });
}

/** A statistic repeated over the last axes of a shape, as many as it has itself; the axes before them repeat it whole. */
function repeatOver(statistic: HostArray, shape: readonly number[], feature: string): Float32Array {
  const own = statistic.shape.filter((_, axis) => !isLeadingOne(statistic.shape, axis));
  const target = shape.slice(shape.length - own.length);
  const fits = own.length <= shape.length && own.every((size, axis) => size === 1 || size === target[axis]);
  if (!fits) {
    throw new ShapeError(
      `"${feature}": expected a shape that fits statistics of shape [${statistic.shape.join(", ")}], got [${shape.join(", ")}]`,
    );
  }
  const values = statistic.data as Float32Array;
  const repeated = new Float32Array(numElements(target));
  for (let i = 0; i < repeated.length; i++) {
    let rest = i;
    let index = 0;
    let stride = 1;
    for (let axis = own.length - 1; axis >= 0; axis--) {
      if (own[axis] !== 1) index += (rest % target[axis]!) * stride;
      rest = Math.floor(rest / target[axis]!);
      stride *= own[axis]!;
    }
    repeated[i] = values[index]!;
  }
  return repeated;
}

const isLeadingOne = (shape: readonly number[], axis: number): boolean =>
  shape.slice(0, axis + 1).every((size) => size === 1);

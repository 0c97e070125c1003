import { DatasetError } from "../support/errors.js";
import { type HostArray, hostArray } from "../support/host-array.js";
import { parsePythonJson } from "./json-file.js";

/**
 * Statistics of a dataset's features: feature, then statistic (`mean`, `std`, `min`, `max`, `count`, `q01`, ...), then
 * a float32 array in the shape that the file gives it: `[width]` for a vector, `[3, 1, 1]` for a camera.
 */
export type DatasetStats = ReadonlyMap<string, ReadonlyMap<string, HostArray>>;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A statistic at full precision. */
export interface Statistic {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** Nested lists of one shape, or a single number. @throws DatasetError if the lists are ragged or hold other things */
function parseStatistic(value: unknown, where: string): Statistic {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const values: number[] = [];
  const visit = (entry: unknown, depth: number): void => {
    const size = shape[depth];
    if (size === undefined) {
      const isNonFinite = entry === "NaN" || entry === "Infinity" || entry === "-Infinity";
      // Least and greatest value of a bool feature, such as `next.done`, are written as such.
      const isNumber = typeof entry === "number" || typeof entry === "boolean";
      if (isNumber || isNonFinite) values.push(Number(entry));
      else throw new DatasetError(`${where}: expected numbers, got ${JSON.stringify(entry)}`);
    } else if (Array.isArray(entry) && entry.length === size) {
      for (const child of entry) visit(child, depth + 1);
    } else {
      throw new DatasetError(`${where}: expected lists of one shape, got lists that differ in length`);
    }
  };
  visit(value, 0);
  return { shape, values };
}

export const toFloat32 = ({ shape, values }: Statistic): HostArray =>
  hostArray("float32", shape, Float32Array.from(values));

/** The statistics of a set of features, at full precision, from parsed JSON. */
export function parseStatistics(value: unknown, where: string): Map<string, Map<string, Statistic>> {
  if (!isObject(value)) {
    throw new DatasetError(`${where}: expected an object of features, got ${JSON.stringify(value)}`);
  }
  return new Map(
    Object.entries(value).map(([feature, stats]) => {
      if (!isObject(stats)) {
        throw new DatasetError(
          `${where} at ${feature}: expected an object of statistics, got ${JSON.stringify(stats)}`,
        );
      }
      const parsed = Object.entries(stats).map(
        ([name, lists]) => [name, parseStatistic(lists, `${where} at ${feature}.${name}`)] as const,
      );
      return [feature, new Map(parsed)];
    }),
  );
}

/** Applies a function to every statistic. */
export const mapStatistics = <A, B>(
  stats: ReadonlyMap<string, ReadonlyMap<string, A>>,
  convert: (statistic: A) => B,
): Map<string, Map<string, B>> =>
  new Map([...stats].map(([feature, of]) => [feature, new Map([...of].map(([name, s]) => [name, convert(s)]))]));

/** @throws DatasetError naming the file, the feature and the statistic */
export const parseDatasetStats = (text: string, path: string): DatasetStats =>
  mapStatistics(parseStatistics(parsePythonJson(text, path), path), toFloat32);

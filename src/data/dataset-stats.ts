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

/** Nested lists of one shape, or a single number, as a dense array. @throws DatasetError if the lists are ragged */
export function arrayFromLists(value: unknown, where: string): HostArray {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const numbers: number[] = [];
  const visit = (entry: unknown, depth: number): void => {
    const size = shape[depth];
    if (size === undefined) {
      const isNonFinite = entry === "NaN" || entry === "Infinity" || entry === "-Infinity";
      if (typeof entry === "number" || isNonFinite) numbers.push(Number(entry));
      else throw new DatasetError(`${where}: expected numbers, got ${JSON.stringify(entry)}`);
    } else if (Array.isArray(entry) && entry.length === size) {
      for (const child of entry) visit(child, depth + 1);
    } else {
      throw new DatasetError(`${where}: expected lists of one shape, got lists that differ in length`);
    }
  };
  visit(value, 0);
  return hostArray("float32", shape, Float32Array.from(numbers));
}

/** The statistics of one feature or of one dataset's features, from parsed JSON. */
export function statsFromJson(value: unknown, where: string): Map<string, Map<string, HostArray>> {
  if (!isObject(value))
    throw new DatasetError(`${where}: expected an object of features, got ${JSON.stringify(value)}`);
  return new Map(
    Object.entries(value).map(([feature, stats]) => {
      if (!isObject(stats)) {
        throw new DatasetError(
          `${where} at ${feature}: expected an object of statistics, got ${JSON.stringify(stats)}`,
        );
      }
      const arrays = Object.entries(stats).map(
        ([name, lists]) => [name, arrayFromLists(lists, `${where} at ${feature}.${name}`)] as const,
      );
      return [feature, new Map(arrays)];
    }),
  );
}

/** @throws DatasetError naming the file, the feature and the statistic */
export const parseDatasetStats = (text: string, path: string): DatasetStats =>
  statsFromJson(parsePythonJson(text, path), path);

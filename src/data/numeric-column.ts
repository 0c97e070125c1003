import { DatasetError } from "../support/errors.js";
import { type HostArray, numElements, zerosOnHost } from "../support/host-array.js";
import { frameShape, type NumericDType, type NumericFeature } from "./feature.js";
import type { ColumnRows, ParquetFile } from "./parquet-file.js";

/** A numeric column of one data file: `[numRows, ...shape of a frame]`. */
export type NumericColumn = HostArray & { readonly data: Float32Array | BigInt64Array | Uint8Array };

type Convert = (value: unknown) => number | bigint | undefined;

/** Conversions of a decoded value; undefined for what is not a value of that type (null for a missing one). */
const CONVERSIONS: Readonly<Record<NumericDType, Convert>> = {
  float32: (value) => (typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined),
  int64: (value) => {
    if (typeof value === "bigint") return value;
    return Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
  },
  bool: (value) => (typeof value === "boolean" ? Number(value) : undefined),
};

const describe = (value: unknown): string =>
  value === null || value === undefined ? "a missing value" : typeof value === "object" ? "a list" : String(value);

/**
 * Reads a column whose rows all have the shape that `meta/info.json` declares.
 *
 * @throws DatasetError naming the file, the feature and the row for a value of another shape or type, or a missing one
 */
export async function readNumericColumn(file: ParquetFile, feature: NumericFeature): Promise<NumericColumn> {
  const width = numElements(feature.shape);
  let column: NumericColumn | undefined;
  const makeColumn = (): NumericColumn =>
    zerosOnHost(feature.hostDType, [file.numRows, ...frameShape(feature)]) as NumericColumn;
  await file.readColumn(feature.name, width, (rows, rowStart) => {
    // Whatever shape is declared, there is a row of it before there is memory for all.
    if (column === undefined) expectFrame(rows[0], rowStart, feature, file.path);
    column ??= makeColumn();
    fill(column, rows, rowStart, feature, file.path);
  });
  return column ?? makeColumn();
}

/** @throws DatasetError for a row that has not as many entries as a frame */
function expectFrame(row: unknown, index: number, feature: NumericFeature, path: string): void {
  let [count, value] = [1, row];
  for (; isList(value); value = value[0]) count *= value.length;
  if (count === numElements(feature.shape)) return;
  throw misfit(row, index, feature, path);
}

const misfit = (value: unknown, row: number, { name, dtype, shape }: NumericFeature, path: string): DatasetError =>
  new DatasetError(
    `${path}: expected ${name} to be ${dtype} [${shape.join(", ")}] in row ${row}, ` +
      `got ${isList(value) ? `a list of ${value.length}` : describe(value)}`,
  );

function fill(column: NumericColumn, rows: ColumnRows, rowStart: number, feature: NumericFeature, path: string): void {
  const { data } = column;
  const isSameType = data.constructor === rows.constructor && feature.hostDType !== "bool";
  if (isSameType && numElements(feature.shape) === 1) {
    (data as Float32Array).set(rows as Float32Array, rowStart);
    return;
  }
  const { shape } = feature;
  const convert = CONVERSIONS[feature.hostDType];
  let at = rowStart * numElements(shape);
  const visit = (value: unknown, depth: number, row: number): void => {
    const size = shape[depth];
    if (size === undefined) {
      const converted = convert(value);
      if (converted === undefined) throw misfit(value, row, feature, path);
      data[at++] = converted;
    } else if (isList(value) && value.length === size) {
      for (let i = 0; i < size; i++) visit(value[i], depth + 1, row);
    } else {
      throw misfit(value, row, feature, path);
    }
  };
  for (let i = 0; i < rows.length; i++) {
    const value = rows[i];
    // A scalar is declared as [1]; some writers store it as a list of one.
    const depth = shape.length === 1 && shape[0] === 1 && !isList(value) ? 1 : 0;
    visit(value, depth, rowStart + i);
  }
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** The rows of a column, stacked: `[rows.length, ...shape of a frame]`. */
export function takeRows(column: NumericColumn, rows: readonly number[]): HostArray {
  const [, ...shape] = column.shape;
  const width = numElements(shape);
  const result = zerosOnHost(column.dtype, [rows.length, ...shape]);
  rows.forEach((row, i) => {
    // The two arrays have one type by construction, which TypeScript cannot see across the union.
    (result.data as Float32Array).set(column.data.subarray(row * width, (row + 1) * width) as Float32Array, i * width);
  });
  return result;
}

/** One row of a column, in the shape of a frame. */
export function takeRow(column: NumericColumn, row: number): HostArray {
  const { dtype, data } = takeRows(column, [row]);
  return { dtype, shape: column.shape.slice(1), data };
}

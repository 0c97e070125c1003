import type { HostDType } from "../support/host-array.js";

/**
 * How a feature is stored and whether it appears in items: `numeric` columns and the two kinds of cameras do,
 * `text` and `other` (nested objects, unknown types) are listed in the metadata only.
 */
export type FeatureKind = "numeric" | "video" | "image" | "text" | "other";

/** One entry of `features` in `meta/info.json`. */
export interface Feature {
  readonly name: string;
  /** LeRobot's own word: a NumPy type, `video`, `image` or `string` */
  readonly dtype: string;
  /** of one frame; `[1]` for a scalar, cameras `[height, width, 3]` or `[3, height, width]` as the file says */
  readonly shape: readonly number[];
  /** names of the entries (joints, axes), where the dataset gives them */
  readonly names: readonly string[] | undefined;
  readonly kind: FeatureKind;
}

/** A feature that becomes a numeric array, with the type that its array has. */
export interface NumericFeature extends Feature {
  readonly kind: "numeric";
  readonly hostDType: NumericDType;
}

/**
 * The types of numeric arrays in items. Stock LeRobot passes every value through a Python number, so floats of any
 * width arrive as float32 and integers of any width as int64; so they do here.
 */
export type NumericDType = Extract<HostDType, "float32" | "int64" | "bool">;

const NUMERIC_DTYPES: Readonly<Record<string, NumericDType>> = {
  float16: "float32",
  float32: "float32",
  float64: "float32",
  int8: "int64",
  int16: "int64",
  int32: "int64",
  int64: "int64",
  uint8: "int64",
  uint16: "int64",
  uint32: "int64",
  uint64: "int64",
  bool: "bool",
};

/** `names` is a list, or by an older habit an object of lists such as `{"motors": [...]}`; anything else is left out. */
function flattenNames(names: unknown): readonly string[] | undefined {
  if (Array.isArray(names)) return names.every((name) => typeof name === "string") ? names : undefined;
  if (typeof names !== "object" || names === null) return undefined;
  return flattenNames(Object.values(names).flat());
}

/** The feature that an entry of `meta/info.json` describes. */
export function makeFeature(
  name: string,
  entry: { dtype: string; shape: readonly number[]; names?: unknown },
): Feature | NumericFeature {
  const { dtype, shape } = entry;
  const common = { name, dtype, shape, names: flattenNames(entry.names) };
  const hostDType = Object.hasOwn(NUMERIC_DTYPES, dtype) ? NUMERIC_DTYPES[dtype] : undefined;
  if (hostDType !== undefined) return { ...common, kind: "numeric", hostDType };
  if (dtype === "video" || dtype === "image") return { ...common, kind: dtype };
  return { ...common, kind: dtype === "string" || dtype === "language" ? "text" : "other" };
}

export const isNumeric = (feature: Feature): feature is NumericFeature => feature.kind === "numeric";

export const isCamera = (feature: Feature): boolean => feature.kind === "video" || feature.kind === "image";

/** The shape of one frame's array: a scalar feature is stored as `[1]` and read as `[]`. */
export const frameShape = (feature: Feature): readonly number[] =>
  feature.shape.length === 1 && feature.shape[0] === 1 ? [] : feature.shape;

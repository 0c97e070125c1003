import { ConfigError, type ConfigProblem } from "../../support/errors.js";
import { numElements } from "../../support/host-array.js";

/** A number's type in the files. */
export type RecordedDType = "float32" | "float64" | "int64";

/** What a dataset records in every frame besides its times and indices. */
export interface FeatureDeclaration {
  /** numbers, a camera stored as AV1 video, or a camera stored as PNG images */
  readonly dtype: RecordedDType | "video" | "image";
  /** numbers `[width]`; cameras `[height, width, 3]` or `[3, height, width]` */
  readonly shape: readonly number[];
  /** names of the entries; for cameras those of the axes, made if left out */
  readonly names?: readonly string[] | null | undefined;
}

/** A vector of numbers. */
export interface NumbersFeature {
  readonly kind: "numbers";
  readonly name: string;
  readonly dtype: RecordedDType;
  readonly width: number;
  readonly shape: readonly number[];
  readonly names: readonly string[] | null;
}

/** A camera. */
export interface CameraFeature {
  readonly kind: "camera";
  readonly name: string;
  readonly dtype: "video" | "image";
  readonly width: number;
  readonly height: number;
  readonly shape: readonly number[];
  readonly names: readonly string[] | null;
}

export type RecordedFeature = NumbersFeature | CameraFeature;

/** Columns that every dataset has and that the writer fills, in the order of LeRobot's files. */
export const INDEX_FEATURES: readonly NumbersFeature[] = [
  ["timestamp", "float32"] as const,
  ...["frame_index", "episode_index", "index", "task_index"].map((name) => [name, "int64"] as const),
].map(([name, dtype]) => ({ kind: "numbers", name, dtype, width: 1, shape: [1], names: null }));

const DTYPES: readonly string[] = ["float32", "float64", "int64", "video", "image"];
const RESERVED = new Set(["task", ...INDEX_FEATURES.map(({ name }) => name)]);

/** Colours are stored at half the resolution; SVT-AV1 never returns from frames of 16 x 16. */
const MIN_VIDEO_SIZE = 32;

const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && (size as number) >= 1;

function problemOf(name: string, declaration: FeatureDeclaration): string | undefined {
  if (typeof declaration !== "object" || declaration === null) {
    return `expected a dtype and a shape, got ${JSON.stringify(declaration)}`;
  }
  const { dtype, shape, names } = declaration;
  if (RESERVED.has(name)) return "expected another name: the writer fills this one itself";
  if (!/^[^/\\\0]+$/.test(name) || name === "." || name === "..") {
    return 'expected a name without "/" or "\\", because it becomes part of paths and keys';
  }
  if (!DTYPES.includes(dtype)) return `expected a dtype among ${DTYPES.join(", ")}, got ${JSON.stringify(dtype)}`;
  const isCamera = dtype === "video" || dtype === "image";
  const got = Array.isArray(shape) ? `[${shape.join(", ")}]` : JSON.stringify(shape);
  if (!Array.isArray(shape) || !shape.every(isSize)) return `expected a shape of whole numbers from 1, got ${got}`;
  if (isCamera && (shape.length !== 3 || (shape[2] !== 3 && shape[0] !== 3))) {
    return `expected a shape [height, width, 3] or [3, height, width], got ${got}`;
  }
  if (dtype === "video" && planeSize(shape).some((size) => size % 2 !== 0 || size < MIN_VIDEO_SIZE)) {
    return `expected an even height and width of at least ${MIN_VIDEO_SIZE} for video, got ${got}. Record it as "image", or resize it`;
  }
  if (!isCamera && shape.length !== 1) return `expected a shape [width], got ${got}`;
  if (!isCamera && name.includes("image")) {
    return 'expected a name without "image", because LeRobot takes such a feature for a camera';
  }
  const numNames = isCamera ? 3 : numElements(shape);
  if (names !== undefined && names !== null) {
    const isFit = Array.isArray(names) && names.length === numNames && names.every((n) => typeof n === "string");
    if (!isFit) return `expected ${numNames} names, got ${JSON.stringify(names)}`;
  }
  return undefined;
}

/** Height and width of a camera's shape. Three rows of three pixels count as channel last. */
const planeSize = (shape: readonly number[]): readonly [number, number] =>
  shape[2] === 3 ? [shape[0]!, shape[1]!] : [shape[1]!, shape[2]!];

/**
 * Checks the features of a new dataset.
 *
 * @throws ConfigError with all problems, each with its feature
 */
export function recordedFeatures(declarations: Readonly<Record<string, FeatureDeclaration>>): RecordedFeature[] {
  const entries = Object.entries(declarations ?? {});
  const problems: ConfigProblem[] = entries.flatMap(([name, declaration]) => {
    const message = problemOf(name, declaration);
    return message === undefined ? [] : [{ path: `features.${name}`, message }];
  });
  if (entries.length === 0) problems.push({ path: "features", message: "expected at least one feature, got none" });
  if (problems.length > 0) throw new ConfigError("DatasetWriter.create", problems);
  return entries.map(([name, { dtype, shape, names }]) => {
    if (dtype !== "video" && dtype !== "image") {
      return { kind: "numbers", name, dtype, width: shape[0]!, shape, names: names ?? null };
    }
    const [height, width] = planeSize(shape);
    const axes = shape[2] === 3 ? ["height", "width", "channels"] : ["channels", "height", "width"];
    return { kind: "camera", name, dtype, width, height, shape, names: names ?? axes };
  });
}

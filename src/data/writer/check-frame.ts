import { DatasetError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import { packedFromPlanar } from "../planar-rgb.js";
import type { CameraFeature, NumbersFeature, RecordedFeature } from "./recorded-feature.js";

/** One frame to record. */
export interface RecordedFrame {
  /** the instruction in natural language */
  readonly task: string;
  /**
   * A value for every feature: numbers as an array or a list, cameras as uint8 RGB in [0, 255], `[height, width, 3]` or
   * `[3, height, width]`
   */
  readonly arrays: Readonly<Record<string, HostArray | ArrayLike<number>>>;
}

/** A frame whose values were checked and copied. */
export interface CheckedFrame {
  readonly task: string;
  /** int64 features as bigint, others as numbers that their type holds exactly */
  readonly numbers: ReadonlyMap<string, readonly (number | bigint)[]>;
  /** packed RGB, `[height, width, 3]` */
  readonly pictures: ReadonlyMap<string, Uint8Array>;
}

const isHostArray = (value: HostArray | ArrayLike<number>): value is HostArray => "dtype" in value && "data" in value;

/**
 * Checks a frame against the features of its dataset.
 *
 * @param where begins the errors
 * @throws DatasetError for a missing or unknown feature, another shape or type, and numbers that are not finite
 */
export function checkFrame(features: readonly RecordedFeature[], frame: RecordedFrame, where: string): CheckedFrame {
  const given: unknown = frame?.arrays;
  if (typeof given !== "object" || given === null) throw new DatasetError(`${where}: expected arrays, got none`);
  if (typeof frame.task !== "string" || frame.task.trim() === "") {
    throw new DatasetError(`${where}: expected a task in words, got ${JSON.stringify(frame.task)}`);
  }
  const unknown = Object.keys(frame.arrays).find((name) => !features.some((feature) => feature.name === name));
  if (unknown !== undefined) {
    const names = features.map(({ name }) => name).join(", ");
    throw new DatasetError(`${where}: expected the features ${names}, got the unknown feature ${unknown}`);
  }
  const numbers = new Map<string, readonly (number | bigint)[]>();
  const pictures = new Map<string, Uint8Array>();
  for (const feature of features) {
    const value = Object.hasOwn(frame.arrays, feature.name) ? frame.arrays[feature.name] : undefined;
    const place = `${where} at ${feature.name}`;
    if (typeof value !== "object" || value === null) throw new DatasetError(`${place}: expected a value, got none`);
    if (feature.kind === "numbers") numbers.set(feature.name, checkNumbers(feature, value, place));
    else pictures.set(feature.name, checkPicture(feature, value, place));
  }
  return { task: frame.task, numbers, pictures };
}

function checkNumbers(
  { dtype, width }: NumbersFeature,
  value: HostArray | ArrayLike<number>,
  where: string,
): (number | bigint)[] {
  if (isHostArray(value) && (value.dtype === "float16" || value.dtype === "bfloat16")) {
    throw new DatasetError(`${where}: expected ${dtype}, got ${value.dtype}, whose values are raw bits here`);
  }
  const shape = isHostArray(value) ? value.shape : [value.length];
  const data: ArrayLike<number | bigint> = isHostArray(value) ? value.data : value;
  // A scalar is read as [] and stored as [1].
  const fits = (shape.length === 1 && shape[0] === width) || (shape.length === 0 && width === 1);
  if (!fits || data.length !== width) {
    throw new DatasetError(`${where}: expected shape [${width}], got [${shape.join(", ")}]`);
  }
  return Array.from({ length: width }, (_, i) => {
    const entry = data[i];
    const number = typeof entry === "number" || typeof entry === "bigint" ? Number(entry) : Number.NaN;
    const stored = dtype === "float32" ? Math.fround(number) : number;
    if (!Number.isFinite(stored)) {
      throw new DatasetError(`${where}: expected finite ${dtype} numbers, got ${String(entry)} at entry ${i}`);
    }
    if (dtype !== "int64") return stored;
    if (!Number.isSafeInteger(number)) {
      throw new DatasetError(`${where}: expected whole numbers up to 2^53, got ${String(entry)} at entry ${i}`);
    }
    return BigInt(number);
  });
}

function checkPicture(
  { width, height }: CameraFeature,
  value: HostArray | ArrayLike<number>,
  where: string,
): Uint8Array {
  const [last, first] = [`[${height}, ${width}, 3]`, `[3, ${height}, ${width}]`];
  if (!isHostArray(value) || value.dtype !== "uint8") {
    const got = isHostArray(value) ? value.dtype : "an array without a shape";
    throw new DatasetError(`${where}: expected uint8 ${last} or ${first}, got ${got}`);
  }
  const shape = `[${value.shape.join(", ")}]`;
  const data = value.data as Uint8Array;
  if ((shape !== last && shape !== first) || data.length !== 3 * width * height) {
    throw new DatasetError(`${where}: expected shape ${last} or ${first}, got ${shape} with ${data.length} entries`);
  }
  // As stock LeRobot does, three rows of three pixels are taken for channel first.
  return shape === first ? packedFromPlanar(value) : Uint8Array.from(data);
}

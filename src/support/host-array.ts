import { ShapeError } from "./errors.js";

/**
 * Arrays in JavaScript memory: what files hold, what worker threads hand over, what a device tensor is made from.
 * They know no device and no gradient; `torch/` turns them into tensors.
 */

const CONSTRUCTORS = {
  float64: Float64Array,
  float32: Float32Array,
  /** raw bits; JavaScript has no 16-bit float */
  float16: Uint16Array,
  /** raw bits */
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  /** 0 or 1 */
  bool: Uint8Array,
} as const;

export type HostDType = keyof typeof CONSTRUCTORS;
export type HostData = InstanceType<(typeof CONSTRUCTORS)[HostDType]>;

/** A dense row-major array: `data.length` is the product of `shape`. */
export interface HostArray {
  readonly dtype: HostDType;
  readonly shape: readonly number[];
  readonly data: HostData;
}

export const HOST_DTYPES = Object.keys(CONSTRUCTORS) as readonly HostDType[];

export const bytesPerElement = (dtype: HostDType): number => CONSTRUCTORS[dtype].BYTES_PER_ELEMENT;

/** The number of entries of a shape; 1 for a scalar's empty shape. */
export const numElements = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

/** An array over existing data. @throws ShapeError if the data is not as long as the shape says, or of another type */
export function hostArray(dtype: HostDType, shape: readonly number[], data: HostData): HostArray {
  if (!(data instanceof CONSTRUCTORS[dtype])) {
    throw new ShapeError(`hostArray: expected ${CONSTRUCTORS[dtype].name} for ${dtype}, got ${data.constructor.name}`);
  }
  if (data.length !== numElements(shape)) {
    throw new ShapeError(
      `hostArray: expected ${numElements(shape)} entries for shape [${shape.join(", ")}], got ${data.length}`,
    );
  }
  return { dtype, shape, data };
}

/** An array of zeros. */
export const zerosOnHost = (dtype: HostDType, shape: readonly number[]): HostArray => ({
  dtype,
  shape,
  data: new CONSTRUCTORS[dtype](numElements(shape)),
});

/** An array of JavaScript numbers. The 16-bit float types take raw bits. @throws ShapeError if the shape asks for more or fewer */
export function hostArrayOfNumbers(dtype: HostDType, shape: readonly number[], values: readonly number[]): HostArray {
  const data = dtype === "int64" ? BigInt64Array.from(values, BigInt) : CONSTRUCTORS[dtype].from(values);
  return hostArray(dtype, shape, data);
}

/** A typed view of raw little-endian bytes; copies only if the bytes are not aligned for the type. */
export function hostArrayFromBytes(dtype: HostDType, shape: readonly number[], bytes: Uint8Array): HostArray {
  const Data = CONSTRUCTORS[dtype];
  const count = numElements(shape);
  if (bytes.byteLength !== count * Data.BYTES_PER_ELEMENT) {
    throw new ShapeError(
      `hostArray: expected ${count * Data.BYTES_PER_ELEMENT} bytes for ${dtype} [${shape.join(", ")}], got ${bytes.byteLength}`,
    );
  }
  // Not `slice`, which on a Buffer copies nothing.
  const aligned = bytes.byteOffset % Data.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return { dtype, shape, data: new Data(aligned.buffer as ArrayBuffer, aligned.byteOffset, count) };
}

/** The raw little-endian bytes of an array, without a copy. */
export const bytesOf = (array: HostArray): Uint8Array =>
  new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);

/** The entries as JavaScript numbers. @throws ShapeError for the 16-bit float types, whose bits are not numbers */
export function numbersOf(array: HostArray): number[] {
  if (array.dtype === "float16" || array.dtype === "bfloat16") {
    throw new ShapeError(`numbersOf: expected a type that JavaScript can read, got ${array.dtype}`);
  }
  return Array.from(array.data as ArrayLike<number | bigint>, Number);
}

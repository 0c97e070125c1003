import { type HostArray, hostArray, numElements } from "../../support/host-array.js";

/** Rows `from` to `to` (not included) of the first dimension; shares the memory. */
export function hostRows({ dtype, shape, data }: HostArray, from: number, to: number): HostArray {
  const size = numElements(shape.slice(1));
  return hostArray(dtype, [to - from, ...shape.slice(1)], data.subarray(from * size, to * size));
}

/** Arrays one below the other; float32, equal in all dimensions but the first. */
export function joinRows(parts: readonly HostArray[]): HostArray {
  const numRows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const shape = [numRows, ...parts[0]!.shape.slice(1)];
  const data = new Float32Array(numElements(shape));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data as Float32Array, offset);
    offset += part.data.length;
  }
  return hostArray("float32", shape, data);
}

/** The first entries of the last dimension: float32 `[..., M]` -> `[..., numDims]`. */
export function cropLast({ shape, data }: HostArray, numDims: number): HostArray {
  const width = shape.at(-1)!;
  if (width === numDims) return hostArray("float32", shape, data);
  const cropped = new Float32Array((data.length / width) * numDims);
  for (let row = 0; row * width < data.length; row++) {
    cropped.set((data as Float32Array).subarray(row * width, row * width + numDims), row * numDims);
  }
  return hostArray("float32", [...shape.slice(0, -1), numDims], cropped);
}

import type { HostArray } from "../support/host-array.js";

/**
 * Rearranges packed RGB (`height` rows of R, G, B triples) into planes: uint8 `[3, height, width]`.
 *
 * @param stride bytes from one row to the next, at least `3 * width`; what lies between is skipped
 */
export function planarFromPacked(packed: Uint8Array, width: number, height: number, stride: number): HostArray {
  const plane = width * height;
  const data = new Uint8Array(3 * plane);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, from = y * stride; x < width; x++, at++, from += 3) {
      data[at] = packed[from]!;
      data[at + plane] = packed[from + 1]!;
      data[at + 2 * plane] = packed[from + 2]!;
    }
  }
  return { dtype: "uint8", shape: [3, height, width], data };
}

/** Planes uint8 `[3, height, width]` as packed RGB, `height * width` triples. */
export function packedFromPlanar({ data, shape }: HostArray): Uint8Array {
  const plane = shape[1]! * shape[2]!;
  const planes = data as Uint8Array;
  const packed = new Uint8Array(3 * plane);
  for (let i = 0, at = 0; i < plane; i++, at += 3) {
    packed[at] = planes[i]!;
    packed[at + 1] = planes[i + plane]!;
    packed[at + 2] = planes[i + 2 * plane]!;
  }
  return packed;
}

import type { HostArray } from "../support/host-array.js";

/** Stacks arrays of one shape and type. @returns `[arrays.length, ...shape]`, or undefined if they differ */
export function stackArrays(arrays: readonly HostArray[]): HostArray | undefined {
  const first = arrays[0];
  if (first === undefined) return undefined;
  const { dtype, shape } = first;
  const isEqual = (a: HostArray) =>
    a.dtype === dtype && a.shape.length === shape.length && a.shape.every((n, d) => n === shape[d]);
  if (!arrays.every(isEqual)) return undefined;
  const Data = first.data.constructor as Uint8ArrayConstructor;
  const data = new Data(arrays.length * first.data.length);
  for (const [i, array] of arrays.entries()) data.set(array.data as Uint8Array, i * first.data.length);
  return { dtype, shape: [arrays.length, ...shape], data };
}

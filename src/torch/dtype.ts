import { TorchError } from "../support/errors.js";
import type { HostDType } from "../support/host-array.js";

/** Element types, under PyTorch's names; the numbers are libtorch's `ScalarType` codes, which are part of its ABI. */
const CODES = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  bool: 11,
  bfloat16: 15,
} as const satisfies Record<HostDType, number>;

export type DType = HostDType;

export const codeOfDtype = (dtype: DType): number => {
  if (Object.hasOwn(CODES, dtype)) return CODES[dtype];
  throw new TorchError("dtype", `torch: expected a dtype of ${Object.keys(CODES).join(", ")}, got ${String(dtype)}`);
};

export function dtypeOfCode(code: number): DType {
  for (const [dtype, value] of Object.entries(CODES)) if (value === code) return dtype as DType;
  throw new TorchError("dtype", `torch: tensors of libtorch's ScalarType ${code} are not supported`);
}

export const isFloatingPoint = (dtype: DType): boolean =>
  dtype === "float32" || dtype === "bfloat16" || dtype === "float16" || dtype === "float64";

/** The lowest finite value of a floating type, what a forbidden attention score is replaced by. */
export const LOWEST_FLOAT32 = -3.4028234663852886e38;

import { CheckpointError, messageOf } from "../support/errors.js";
import { readSafetensorsHeader, type SafetensorsSource } from "../support/safetensors.js";
import { codeOfDtype } from "./dtype.js";
import { native } from "./native.js";
import { Tensor } from "./tensor.js";

/**
 * The tensors of a file, on the CPU, sharing one memory mapping: nothing is read until it is touched, nothing is copied,
 * and what nobody touches costs no memory. Writing to such a tensor changes a private copy of its pages, never the file.
 *
 * @throws CheckpointError naming the file and, where there is one, the tensor
 */
export async function mapSafetensors(path: string): Promise<Map<string, Tensor>> {
  const { entries } = await readSafetensorsHeader(path);
  if (entries.size === 0) return new Map();
  try {
    const handles = native.mapTensors(
      path,
      [...entries.values()].map((entry) => [codeOfDtype(entry.dtype), entry.shape, entry.begin] as const),
    );
    return new Map([...entries.keys()].map((name, i) => [name, new Tensor(handles[i]!)]));
  } catch (error) {
    throw new CheckpointError(messageOf(error));
  }
}

/** A tensor as something `writeSafetensors` can write; it must live until then. */
export const tensorSource = (tensor: Tensor): SafetensorsSource => ({
  dtype: tensor.dtype,
  shape: tensor.shape,
  bytes: () => new Uint8Array(native.tensorBytes(tensor.handle)),
});

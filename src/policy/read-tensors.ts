import { type FileHandle, open } from "node:fs/promises";
import { CheckpointError, messageOf } from "../support/errors.js";
import { type HostArray, hostArrayFromBytes } from "../support/host-array.js";
import { readSafetensorsHeader } from "../support/safetensors.js";

/**
 * Some tensors of a file, without reading the others.
 *
 * @param names those that the file does not have are left out
 * @throws CheckpointError naming the file
 */
export async function readTensors(path: string, names: readonly string[]): Promise<Map<string, HostArray>> {
  const { entries } = await readSafetensorsHeader(path);
  const tensors = new Map<string, HostArray>();
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    for (const name of names) {
      const entry = entries.get(name);
      if (entry === undefined) continue;
      const { dtype, shape, begin, end } = entry;
      const bytes = new Uint8Array(end - begin);
      for (let filled = 0; filled < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, begin + filled);
        if (bytesRead === 0) throw new Error(`the file ends at ${begin + filled}`);
        filled += bytesRead;
      }
      tensors.set(name, hostArrayFromBytes(dtype, shape, bytes));
    }
  } catch (error) {
    throw new CheckpointError(`${path}: cannot be read (${messageOf(error)})`);
  } finally {
    await file?.close();
  }
  return tensors;
}

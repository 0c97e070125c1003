import { type FileHandle, open } from "node:fs/promises";
import { writeFileAtomically } from "./atomic-file.js";
import { CheckpointError, messageOf } from "./errors.js";
import { expectFile } from "./expect-file.js";
import {
  bytesOf,
  bytesPerElement,
  type HostArray,
  type HostDType,
  hostArrayFromBytes,
  numElements,
} from "./host-array.js";
import { parseJson } from "./parse-json.js";

/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
 * Every header is checked completely before one byte of data is believed.
 */

const DTYPES: Readonly<Record<string, HostDType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};
const DTYPE_NAMES = Object.fromEntries(Object.entries(DTYPES).map(([name, dtype]) => [dtype, name])) as Record<
  HostDType,
  string
>;

/** The reference reader's own limit on a header, 100 MB: a larger length is a damaged file, not a big model. */
const MAX_HEADER_BYTES = 100_000_000;

export interface SafetensorsEntry {
  readonly dtype: HostDType;
  readonly shape: readonly number[];
  /** absolute byte range in the file */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** No call reads more at once than 2 GiB. */
const MOST_BYTES_AT_ONCE = 2 ** 30;

/** Bytes of their own memory; fewer than asked for where the file ends. */
async function readFully(file: FileHandle, length: number, position: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length; ) {
    const count = Math.min(length - filled, MOST_BYTES_AT_ONCE);
    const { bytesRead } = await file.read(bytes, filled, count, position + filled);
    if (bytesRead === 0) return bytes.subarray(0, filled);
    filled += bytesRead;
  }
  return bytes;
}

/** Runs a read of an open file; whatever goes wrong in it becomes a CheckpointError with the file. */
async function withFile<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle;
  try {
    expectFile(path);
    file = await open(path, "r");
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new CheckpointError(missing ? `${path}: file not found` : `${path}: cannot be opened (${messageOf(error)})`);
  }
  try {
    return await read(file);
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(`${path}: cannot be read (${messageOf(error)})`);
  } finally {
    await file.close();
  }
}

/**
 * Reads and checks a file's header: every byte range lies in the file, fits its dtype and shape, and overlaps no other.
 * @throws CheckpointError naming the file and, where there is one, the tensor
 */
export const readSafetensorsHeader = (path: string): Promise<SafetensorsHeader> =>
  withFile(path, (file) => readHeader(path, file));

async function readHeader(path: string, file: FileHandle): Promise<SafetensorsHeader> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new CheckpointError(`${path}: expected a safetensors file, got something else`);
  const prefix = Buffer.from(await readFully(file, 8, 0));
  if (prefix.length < 8) {
    throw new CheckpointError(`${path}: expected a safetensors file, got ${stats.size} bytes, too few for a header`);
  }
  const headerLength = Number(prefix.readBigUInt64LE());
  if (headerLength > MAX_HEADER_BYTES || 8 + headerLength > stats.size) {
    throw new CheckpointError(
      `${path}: expected a safetensors header within the file's ${stats.size} bytes, got a header of ${headerLength} bytes. ` +
        "The file is truncated, damaged or not a safetensors file",
    );
  }
  const json = Buffer.from(await readFully(file, headerLength, 8));
  return parseHeader(path, json, 8 + headerLength, stats.size);
}

function parseHeader(path: string, json: Buffer, dataStart: number, fileSize: number): SafetensorsHeader {
  let parsed: unknown;
  try {
    parsed = parseJson(json.toString("utf8"));
  } catch (error) {
    throw new CheckpointError(`${path}: the safetensors header is not JSON (${messageOf(error)})`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new CheckpointError(`${path}: expected the safetensors header to be an object`);
  }
  const entries = new Map<string, SafetensorsEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed as Record<string, unknown>)) {
    if (name === "__metadata__") metadata = value as Record<string, string>;
    else entries.set(name, parseEntry(path, name, value, dataStart, fileSize));
  }
  const ranges = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (let i = 1; i < ranges.length; i++) {
    const [previous, current] = [ranges[i - 1]!, ranges[i]!];
    if (current[1].begin < previous[1].end) {
      throw new CheckpointError(`${path}: tensors "${previous[0]}" and "${current[0]}" share bytes`);
    }
  }
  return { entries, metadata };
}

function parseEntry(path: string, name: string, value: unknown, dataStart: number, fileSize: number): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const at = `${path}: tensor "${name}"`;
  const hostDType = typeof dtype === "string" && Object.hasOwn(DTYPES, dtype) ? DTYPES[dtype] : undefined;
  if (hostDType === undefined) {
    throw new CheckpointError(
      `${at}: expected a dtype of ${Object.keys(DTYPES).join(", ")}, got ${JSON.stringify(dtype)}`,
    );
  }
  const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw new CheckpointError(`${at}: expected a shape of whole numbers, got ${JSON.stringify(shape)}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw new CheckpointError(`${at}: expected two data offsets, got ${JSON.stringify(offsets)}`);
  }
  const [from, to] = offsets as [number, number];
  const length = numElements(shape) * bytesPerElement(hostDType);
  if (to - from !== length) {
    throw new CheckpointError(`${at}: expected ${length} bytes for ${dtype} [${shape.join(", ")}], got ${to - from}`);
  }
  if (dataStart + to > fileSize) {
    throw new CheckpointError(
      `${at}: expected its bytes up to ${dataStart + to}, but the file ends at ${fileSize}. The file is truncated`,
    );
  }
  return { dtype: hostDType, shape, begin: dataStart + from, end: dataStart + to };
}

/**
 * Tensors of a file in JavaScript memory. For large weights use `torch/safetensors`, which maps the file instead.
 *
 * @param names those that are read, as far as the file has them; all if left out
 * @throws CheckpointError naming the file
 */
export function readSafetensors(path: string, names?: readonly string[]): Promise<Map<string, HostArray>> {
  return withFile(path, async (file) => {
    const { entries } = await readHeader(path, file);
    const tensors = new Map<string, HostArray>();
    for (const name of names ?? entries.keys()) {
      const entry = entries.get(name);
      if (entry === undefined) continue;
      const { dtype, shape, begin, end } = entry;
      const bytes = await readFully(file, end - begin, begin);
      if (bytes.length < end - begin) throw new Error(`the file ends at ${begin + bytes.length}`);
      tensors.set(name, hostArrayFromBytes(dtype, shape, bytes));
    }
    return tensors;
  });
}

/** A tensor about to be written: its type and shape now, its bytes when their turn comes (so never all at once). */
export interface SafetensorsSource {
  readonly dtype: HostDType;
  readonly shape: readonly number[];
  readonly bytes: () => Uint8Array;
}

/** A host array as something to be written. */
export const sourceOf = (array: HostArray): SafetensorsSource => ({
  dtype: array.dtype,
  shape: array.shape,
  bytes: () => bytesOf(array),
});

/** The reference writer's order of types: the higher ones come first in a file, so every tensor is aligned to its size. */
const DTYPE_RANK = "bool uint8 int8 int16 float16 bfloat16 int32 float32 float64 int64".split(" ");

const byReferenceOrder = (
  [aName, a]: readonly [string, SafetensorsSource],
  [bName, b]: readonly [string, SafetensorsSource],
): number =>
  DTYPE_RANK.indexOf(b.dtype) - DTYPE_RANK.indexOf(a.dtype) || Buffer.compare(Buffer.from(aName), Buffer.from(bName));

/**
 * Writes tensors as the reference writer does, byte for byte: by type and name, the header padded to a multiple of 8.
 * Atomic: the path holds the old file or the whole new one, never a part.
 *
 * @param metadata null for none, as LeRobot writes its processors; policies of later versions say `{"format":"pt"}`
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, SafetensorsSource>,
  metadata: Readonly<Record<string, string>> | null = { format: "pt" },
): Promise<void> {
  const header: Record<string, unknown> = metadata === null ? {} : { __metadata__: metadata };
  let offset = 0;
  const ordered = [...tensors].sort(byReferenceOrder);
  for (const [name, tensor] of ordered) {
    const length = numElements(tensor.shape) * bytesPerElement(tensor.dtype);
    header[name] = { dtype: DTYPE_NAMES[tensor.dtype], shape: tensor.shape, data_offsets: [offset, offset + length] };
    offset += length;
  }
  const json = JSON.stringify(header);
  const headerBytes = Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) % 8)) % 8)));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(headerBytes.length));
  await writeFileAtomically(path, async (write) => {
    await write(prefix);
    await write(headerBytes);
    for (const [, tensor] of ordered) await write(tensor.bytes());
  });
}

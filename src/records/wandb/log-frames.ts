import { crc32 } from "node:zlib";

/**
 * The framing of `.wandb` files: LevelDB's log format in blocks of 32 KiB, with a plain CRC-32 and a header of 7 bytes in
 * the first block. A record lies in one frame or in several, of which each ends with its block.
 *
 * Reference: `sdk/internal/datastore.py` of wandb 0.24.2; https://github.com/google/leveldb/blob/main/doc/log_format.md
 */

/** What a file begins with: `:W&B`, a magic number and version 0. */
export const FILE_HEADER = Buffer.from([0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0x00]);

const BLOCK = 32 * 1024;
/** u32 checksum, u16 length, u8 kind */
const FRAME_HEADER = 7;

const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4] as const;

/** Over the kind and the data. */
function checksum(kind: number, data: Uint8Array): number {
  const ofKind = crc32(Uint8Array.of(kind));
  return data.length === 0 ? ofKind : crc32(data, ofKind); // crc32 forgets what came before when there is no data
}

/** The bytes that store a record at the end of a file of `offset` bytes. */
export function frameRecord(record: Buffer, offset: number): Buffer {
  const parts: Buffer[] = [];
  let left = BLOCK - (offset % BLOCK);
  let done = 0;
  // A frame may be empty: where a header just fits into its block.
  for (let isFirst = true; isFirst || done < record.length; isFirst = false) {
    if (left < FRAME_HEADER) {
      parts.push(Buffer.alloc(left));
      left = BLOCK;
    }
    const data = record.subarray(done, done + left - FRAME_HEADER);
    done += data.length;
    const isLast = done === record.length;
    const kind = isFirst ? (isLast ? FULL : FIRST) : isLast ? LAST : MIDDLE;
    const header = Buffer.alloc(FRAME_HEADER);
    header.writeUInt32LE(checksum(kind, data), 0);
    header.writeUInt16LE(data.length, 4);
    header.writeUInt8(kind, 6);
    parts.push(header, data);
    left -= FRAME_HEADER + data.length;
  }
  return Buffer.concat(parts);
}

/** A record of a file. */
export interface FramedRecord {
  readonly record: Buffer;
  /** the file's length up to the record's end */
  readonly end: number;
}

/** The records of a file, up to the first that is torn or damaged. */
export function* readFramedRecords(file: Buffer): Generator<FramedRecord, void, undefined> {
  let offset = FILE_HEADER.length;
  let parts: Buffer[] = [];
  while (offset < file.length) {
    const left = BLOCK - (offset % BLOCK);
    if (left < FRAME_HEADER) {
      offset += left;
      continue;
    }
    if (offset + FRAME_HEADER > file.length) return;
    const kind = file.readUInt8(offset + 6);
    const data = file.subarray(offset + FRAME_HEADER, offset + FRAME_HEADER + file.readUInt16LE(offset + 4));
    if (checksum(kind, data) !== file.readUInt32LE(offset)) return;
    offset += FRAME_HEADER + data.length;
    parts = kind === FULL || kind === FIRST ? [data] : [...parts, data];
    if (kind === FULL || kind === LAST) yield { record: Buffer.concat(parts), end: offset };
  }
}

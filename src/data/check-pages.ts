import { parquetHeader } from "hyparquet/src/column.js";
import type { ColumnMetaData, DataPageHeader, DataPageHeaderV2, PageHeader } from "hyparquet/src/types.js";
import { DECOMPRESSORS } from "./decompressors.js";

/**
 * A look at the structure of a column chunk before it is decoded.
 *
 * The decoder believes the counts in a file: a damaged run length makes it write past its output until V8 ends the whole
 * process. Here every count is held against the ones that must agree with it; damaged values pass, damaged counts do not.
 */

/** How deep a column's values are nested, as the file's schema says: the highest level of each kind. */
export interface NestingLevels {
  /** neither a list nor part of an object: the decoder stops at the last row instead of the last byte */
  readonly isFlat: boolean;
  readonly definition: number;
  readonly repetition: number;
}

const bitsFor = (value: number): number => 32 - Math.clz32(value);

class DamagedPage extends Error {}

const inRange = (value: unknown, low: number, high: number, what: string): number => {
  if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return value;
  throw new DamagedPage(`expected ${what} from ${low} to ${high}, got ${String(value)}`);
};

/**
 * Checks runs of the hybrid of run lengths and packed bits, up to `count` values or the end of the bytes.
 * A packed run may be padded past the count, a repeated value may not.
 */
function checkRuns(bytes: Uint8Array, bitWidth: number, count: number, what: string): void {
  let at = 0;
  for (let seen = 0; seen < count && at < bytes.length; ) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 28) throw new DamagedPage(`${what} end in the middle of a run`);
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const length = Math.floor(header / 2);
    if (header % 2 === 1) {
      at += inRange(length, 1, Math.ceil(bytes.length / Math.max(1, bitWidth)), `packed ${what}`) * bitWidth;
      seen += length * 8;
    } else {
      seen += inRange(length, 0, count - seen, `repeated ${what}`);
      at += Math.ceil(bitWidth / 8);
    }
  }
}

/** Dictionary indices begin with one byte, their width in bits. */
function checkValues(values: Uint8Array, encoding: string | undefined, count: number): void {
  if (encoding === "RLE_DICTIONARY" || encoding === "PLAIN_DICTIONARY") {
    if (count === 0 || values.length === 0) return;
    const bitWidth = inRange(values[0], 0, 32, "a dictionary index width");
    if (bitWidth > 0) checkRuns(values.subarray(1), bitWidth, count, "dictionary indices");
  } else if (encoding === "RLE") {
    checkRuns(values, 1, count, "values");
  }
}

function checkPage(page: Uint8Array, header: DataPageHeader, levels: NestingLevels): void {
  let at = 0;
  for (const [maximum, what] of [
    [levels.repetition, "repetition levels"],
    [levels.definition, "definition levels"],
  ] as const) {
    if (maximum === 0) continue;
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const length = inRange(view.getUint32(at, true), 0, page.length - at - 4, `the length of ${what}`);
    checkRuns(page.subarray(at + 4, at + 4 + length), bitsFor(maximum), header.num_values, what);
    at += 4 + length;
  }
  const isLengthPrefixed = header.encoding === "RLE";
  checkValues(page.subarray(isLengthPrefixed ? at + 4 : at), header.encoding, header.num_values);
}

function checkPageV2(
  bytes: Uint8Array,
  header: DataPageHeaderV2,
  levels: NestingLevels,
  decompress: (b: Uint8Array, levelBytes: number) => Uint8Array,
): void {
  inRange(header.num_nulls, 0, header.num_values, "a number of nulls");
  const repetition = inRange(header.repetition_levels_byte_length, 0, bytes.length, "a length of repetition levels");
  const definition = inRange(
    header.definition_levels_byte_length,
    0,
    bytes.length - repetition,
    "a length of definition levels",
  );
  const end = repetition + definition;
  if (levels.repetition > 0) {
    checkRuns(bytes.subarray(0, repetition), bitsFor(levels.repetition), header.num_values, "repetition levels");
  }
  if (levels.definition > 0) {
    checkRuns(bytes.subarray(repetition, end), bitsFor(levels.definition), header.num_values, "definition levels");
  }
  const page = header.is_compressed === false ? bytes.subarray(end) : decompress(bytes.subarray(end), end);
  const isLengthPrefixed = header.encoding === "RLE";
  checkValues(isLengthPrefixed ? page.subarray(4) : page, header.encoding, header.num_values);
}

function decompressPage(bytes: Uint8Array, chunk: ColumnMetaData, length: number): Uint8Array {
  if (chunk.codec === "UNCOMPRESSED") return bytes;
  const decompress = DECOMPRESSORS[chunk.codec];
  if (decompress === undefined) throw new DamagedPage(`the compression ${chunk.codec} is not known`);
  const page = decompress(bytes, length);
  if (page.length !== length) throw new DamagedPage(`a page unpacks to ${page.length} bytes instead of ${length}`);
  return page;
}

/** The number of values in a page, 0 for a dictionary. */
function checkOnePage(
  bytes: Uint8Array,
  header: PageHeader,
  chunk: ColumnMetaData,
  levels: NestingLevels,
  left: number,
) {
  const length = inRange(header.uncompressed_page_size, 0, 2 ** 31 - 1, "a page size");
  if (header.type === "DATA_PAGE" && header.data_page_header !== undefined) {
    const numValues = inRange(header.data_page_header.num_values, 0, left, "a number of values");
    checkPage(decompressPage(bytes, chunk, length), header.data_page_header, levels);
    return numValues;
  }
  if (header.type === "DATA_PAGE_V2" && header.data_page_header_v2 !== undefined) {
    const numValues = inRange(header.data_page_header_v2.num_values, 0, left, "a number of values");
    checkPageV2(bytes, header.data_page_header_v2, levels, (body, levelBytes) =>
      decompressPage(body, chunk, inRange(length - levelBytes, 0, length, "a page size")),
    );
    return numValues;
  }
  if (header.type === "DICTIONARY_PAGE" && header.dictionary_page_header !== undefined) {
    inRange(header.dictionary_page_header.num_values, 0, length * 8, "a dictionary size");
    return 0;
  }
  throw new DamagedPage(`the page type ${String(header.type)} is not known`);
}

/**
 * Walks the pages of one column chunk and throws an error that says what is wrong if they contradict themselves or the
 * chunk's own count.
 *
 * @param bytes the chunk, from its dictionary or first data page to its last
 */
export function checkPages(bytes: ArrayBuffer, chunk: ColumnMetaData, levels: NestingLevels): void {
  const reader = { view: new DataView(bytes), offset: 0 };
  let left = Number(chunk.num_values);
  while (reader.offset < bytes.byteLength - 1 && !(left === 0 && levels.isFlat)) {
    const header = parquetHeader(reader);
    const size = inRange(header.compressed_page_size, 0, bytes.byteLength - reader.offset, "a compressed page size");
    left -= checkOnePage(new Uint8Array(bytes, reader.offset, size), header, chunk, levels, left);
    reader.offset += size;
  }
  if (left !== 0) throw new DamagedPage(`${left} of ${chunk.num_values} values are missing`);
}

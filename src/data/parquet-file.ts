import { type FileHandle, open } from "node:fs/promises";
import type { AsyncBuffer, ColumnMetaData, DecodedArray, FileMetaData, SchemaTree } from "hyparquet";
import { parquetMetadataAsync, parquetRead, parquetSchema } from "hyparquet";
import { DatasetError, messageOf } from "../support/errors.js";
import { expectFile } from "../support/expect-file.js";
import { checkPages, type NestingLevels } from "./check-pages.js";
import { DECOMPRESSORS } from "./decompressors.js";

/** Rows of one column as the decoder gives them: typed arrays for flat numbers, else values, lists or objects. */
export type ColumnRows = ArrayLike<unknown>;

/** A run of consecutive rows that are stored, and therefore read, together. */
export interface RowGroupRange {
  readonly rowStart: number;
  readonly numRows: number;
}

interface Leaf {
  readonly levels: NestingLevels;
  readonly chunk: ColumnMetaData;
}

const MAGIC_BYTES = 4;
/** Far more than frames have, whose numbers and times all differ: a page of one repeated value may claim any number of rows. */
const MOST_ROWS_PER_BYTE = 16;
/** Tables of few bytes may still have so many. */
const MANY_ROWS = 1_000_000;

function findLevels(tree: SchemaTree, path: readonly string[]): NestingLevels {
  let [definition, repetition, node]: [number, number, SchemaTree] = [0, 0, tree];
  for (const name of path) {
    const child = node.children.find(({ element }) => element.name === name);
    if (child === undefined) throw new Error(`the schema has no ${path.join(".")}`);
    if (child.element.repetition_type !== "REQUIRED") definition++;
    if (child.element.repetition_type === "REPEATED") repetition++;
    node = child;
  }
  return { isFlat: path.length === 1 && repetition === 0, definition, repetition };
}

/** Reads of byte ranges of an open file. A range that ends beyond the file is an error, not a short read. */
function asyncBuffer(file: FileHandle, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const buffer = new ArrayBuffer(Math.max(0, end - start));
      for (let filled = 0; filled < buffer.byteLength; ) {
        const { bytesRead } = await file.read(new Uint8Array(buffer, filled), { position: start + filled });
        if (bytesRead === 0) throw new Error(`the file ends at ${start + filled}, before ${end}`);
        filled += bytesRead;
      }
      return buffer;
    },
  };
}

/**
 * A parquet file of a dataset: its footer is read and checked once, its columns as often as asked. No file stays open
 * between calls.
 *
 * Every failure is a DatasetError that names the file and what was being read.
 */
export class ParquetFile {
  readonly path: string;
  readonly numRows: number;
  readonly rowGroups: readonly RowGroupRange[];
  readonly columnNames: readonly string[];
  readonly #metadata: FileMetaData;
  readonly #tree: SchemaTree;

  private constructor(path: string, metadata: FileMetaData, tree: SchemaTree, rowGroups: readonly RowGroupRange[]) {
    this.path = path;
    this.#metadata = metadata;
    this.#tree = tree;
    this.rowGroups = rowGroups;
    this.numRows = rowGroups.reduce((sum, group) => sum + group.numRows, 0);
    this.columnNames = tree.children.map(({ element }) => element.name);
  }

  /** @throws DatasetError if the file is missing, truncated or not parquet */
  static open(path: string): Promise<ParquetFile> {
    return withFile(path, "its footer", async (file) => {
      // The search for geographic columns, on by default, does not end if a damaged schema counts backwards.
      const metadata = await parquetMetadataAsync(file, { geoparquet: false });
      const tree = parquetSchema(metadata);
      let rowStart = 0;
      const rowGroups = metadata.row_groups.map((group) => {
        const range = { rowStart, numRows: Number(group.num_rows) };
        if (!Number.isSafeInteger(range.numRows) || range.numRows < 0) throw new Error("a row group has no row count");
        rowStart += range.numRows;
        return range;
      });
      if (BigInt(rowStart) !== metadata.num_rows) {
        throw new Error(`the row groups hold ${rowStart} rows, the footer says ${metadata.num_rows}`);
      }
      if (rowStart > MANY_ROWS + MOST_ROWS_PER_BYTE * file.byteLength) {
        throw new Error(`${rowStart} rows cannot be in ${file.byteLength} bytes`);
      }
      return new ParquetFile(path, metadata, tree, rowGroups);
    });
  }

  /**
   * Reads one column, handing over its rows in runs as they were stored.
   *
   * @param maxValuesPerRow how many values the longest list of the column may hold
   * @param take is called for each run; what it throws becomes the error of this call
   * @param group the row group to read, else all of them
   */
  async readColumn(
    name: string,
    maxValuesPerRow: number,
    take: (rows: ColumnRows, rowStart: number) => void,
    group?: number,
  ): Promise<void> {
    if (!this.columnNames.includes(name)) {
      throw new DatasetError(
        `${this.path}: expected a column "${name}", got only ${this.columnNames.map((c) => `"${c}"`).join(", ")}`,
      );
    }
    const range = group === undefined ? undefined : this.rowGroups[group];
    if (group !== undefined && range === undefined) throw new Error(`internal: ${this.path} has no row group ${group}`);
    const [rowStart, rowEnd] = range ? [range.rowStart, range.rowStart + range.numRows] : [0, this.numRows];
    if (rowStart === rowEnd) return;
    const chunks: { rows: DecodedArray; rowStart: number }[] = [];
    await withFile(this.path, `column "${name}"`, async (file) => {
      for (const leaf of this.#leaves(name, maxValuesPerRow, group)) await checkLeaf(file, leaf);
      await parquetRead({
        file,
        compressors: DECOMPRESSORS,
        metadata: this.#metadata,
        columns: [name],
        rowStart,
        rowEnd,
        // Image bytes have no type of their own in older files and must not be decoded as text.
        utf8: false,
        geoparquet: false,
        // The decoder calls this outside the promise it returns: nothing may be thrown here.
        onChunk: (chunk) => chunks.push({ rows: chunk.columnData, rowStart: chunk.rowStart }),
      });
    });
    let numRows = 0;
    for (const chunk of chunks) {
      numRows += chunk.rows.length;
      if (chunk.rowStart < rowStart || chunk.rowStart + chunk.rows.length > rowEnd) numRows = Number.NaN;
    }
    if (numRows !== rowEnd - rowStart) {
      throw new DatasetError(
        `${this.path}: expected ${rowEnd - rowStart} rows in column "${name}", got ${Number.isNaN(numRows) ? "others" : numRows}. The file is damaged`,
      );
    }
    for (const chunk of chunks) take(chunk.rows, chunk.rowStart);
  }

  /** One column of plain values, one per row. */
  async readFlatColumn(name: string): Promise<unknown[]> {
    const values: unknown[] = new Array(this.numRows);
    await this.readColumn(name, 1, (rows, rowStart) => {
      for (let i = 0; i < rows.length; i++) values[rowStart + i] = rows[i];
    });
    return values;
  }

  #leaves(name: string, maxValuesPerRow: number, group: number | undefined): Leaf[] {
    const groups = group === undefined ? this.#metadata.row_groups : [this.#metadata.row_groups[group]!];
    return groups.flatMap(({ columns, num_rows: numRows }) =>
      columns.flatMap(({ meta_data: chunk }) => {
        if (chunk === undefined) throw new Error("a column has no description");
        if (chunk.path_in_schema[0] !== name) return [];
        const levels = findLevels(this.#tree, chunk.path_in_schema);
        const limit = numRows * BigInt(levels.repetition === 0 ? 1 : Math.max(1, maxValuesPerRow));
        if (chunk.num_values > limit || (levels.repetition === 0 && chunk.num_values !== numRows)) {
          throw new Error(`${chunk.num_values} values in ${numRows} rows, expected at most ${limit}`);
        }
        return [{ levels, chunk }];
      }),
    );
  }
}

async function checkLeaf(file: AsyncBuffer, { chunk, levels }: Leaf): Promise<void> {
  const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  const end = start + Number(chunk.total_compressed_size);
  if (!(start >= MAGIC_BYTES && start <= end && end <= file.byteLength)) {
    throw new Error(`its bytes ${start} to ${end} are not within the file's ${file.byteLength}`);
  }
  checkPages(await file.slice(start, end), chunk, levels);
}

/** Runs a read of an open file; whatever goes wrong in it becomes a DatasetError with the file and the part read. */
async function withFile<T>(path: string, part: string, read: (file: AsyncBuffer) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  try {
    expectFile(path);
    handle = await open(path, "r");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new DatasetError(isMissing ? `${path}: file not found` : `${path}: cannot be opened (${messageOf(error)})`);
  }
  try {
    const { size } = await handle.stat();
    return await read(asyncBuffer(handle, size));
  } catch (error) {
    if (error instanceof DatasetError) throw error;
    throw new DatasetError(
      `${path}: expected a complete parquet file, got an error while reading ${part} (${messageOf(error)}). ` +
        "The file is truncated, damaged or was never finished",
    );
  } finally {
    await handle.close();
  }
}

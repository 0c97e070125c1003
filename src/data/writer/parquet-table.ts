import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { KeyValue } from "hyparquet";
import { type ColumnSource, fileWriter, ParquetWriter } from "hyparquet-writer";
import { type ColumnType, columnSchema } from "./parquet-schema.js";
import { syncFile } from "./sync-file.js";

/** A column of a table that is being written. */
export interface TableColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** 0 for plain values, 1 for lists, 2 for lists of lists, and so on */
  readonly depth: number;
}

/** Rows of every column, by name: numbers and texts, 64-bit integers as bigint, lists as arrays. */
export type TableRows = ReadonlyMap<string, readonly unknown[]>;

/**
 * A parquet file written group of rows by group of rows, compressed with Snappy. Without its footer, which `close` writes,
 * no reader takes it for a table.
 */
export class ParquetTable {
  readonly path: string;
  readonly #columns: readonly TableColumn[];
  readonly #output: ReturnType<typeof fileWriter>;
  readonly #writer: ParquetWriter;

  constructor(path: string, columns: readonly TableColumn[], metadata: readonly KeyValue[] = []) {
    this.path = path;
    this.#columns = columns;
    mkdirSync(dirname(path), { recursive: true });
    this.#output = fileWriter(path);
    this.#writer = new ParquetWriter({
      writer: this.#output,
      schema: [
        { name: "schema", num_children: columns.length },
        ...columns.flatMap(({ name, type, depth }) => columnSchema(name, type, depth)),
      ],
      codec: "SNAPPY",
      kvMetadata: [...metadata],
    });
  }

  /** Bytes so far. */
  get sizeBytes(): number {
    return this.#output.offset;
  }

  /** Appends one row group. */
  async append(rows: TableRows): Promise<void> {
    const columnData = this.#columns.map(({ name }): ColumnSource => {
      const data = rows.get(name);
      if (data === undefined) throw new Error(`internal: no rows for the column ${name}`);
      return { name, data: data as unknown[] };
    });
    await this.#writer.write({ columnData, rowGroupSize: columnData[0]?.data.length ?? 0 });
  }

  /** Writes the footer; the file is on disk afterwards. */
  async close(): Promise<void> {
    await this.#writer.finish();
    await syncFile(this.path);
  }
}

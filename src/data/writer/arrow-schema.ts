import { FlatTable, flatBuffer } from "./flat-buffer.js";
import type { ColumnType } from "./parquet-schema.js";

/** A column of an Arrow schema: plain values, or lists of a fixed length. */
export interface ArrowColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** entries of each list; plain values if left out */
  readonly listSize?: number | undefined;
}

/** Numbers of Arrow's `Type` union and of its other enumerations (Schema.fbs). */
const TYPE = { int: 2, floatingPoint: 3, binary: 4, utf8: 5, bool: 6, struct: 13, fixedSizeList: 16 } as const;
const PRECISION = { float32: 1, float64: 2 } as const;
const METADATA_V5 = 4;
const HEADER_SCHEMA = 1;

const field = (name: string, type: number, content: FlatTable, children: readonly FlatTable[] = []): FlatTable =>
  new FlatTable([{ string: name }, { int8: 1 }, { int8: type }, { table: content }, undefined, { tables: children }]);

function plainField(name: string, type: ColumnType): FlatTable {
  switch (type) {
    case "float32":
    case "float64":
      return field(name, TYPE.floatingPoint, new FlatTable([{ int16: PRECISION[type] }]));
    case "int32":
    case "int64":
      return field(name, TYPE.int, new FlatTable([{ int32: type === "int32" ? 32 : 64 }, { int8: 1 }]));
    case "bool":
      return field(name, TYPE.bool, new FlatTable([]));
    case "string":
      return field(name, TYPE.utf8, new FlatTable([]));
    case "image":
      return field(name, TYPE.struct, new FlatTable([]), [
        field("bytes", TYPE.binary, new FlatTable([])),
        field("path", TYPE.utf8, new FlatTable([])),
      ]);
  }
}

const columnField = ({ name, type, listSize }: ArrowColumn): FlatTable =>
  listSize === undefined
    ? plainField(name, type)
    : field(name, TYPE.fixedSizeList, new FlatTable([{ int32: listSize }]), [plainField("element", type)]);

/**
 * The value of a parquet file's `ARROW:schema` entry: an Arrow schema message in base64. With it, readers built on Arrow
 * know that lists have a fixed length, which parquet's own schema cannot say.
 *
 * @param metadata entries of the schema; Arrow's readers see these and not the file's own
 *
 * Reference: Arrow columnar format, "Encapsulated message format", and its files Message.fbs and Schema.fbs.
 */
export function arrowSchema(columns: readonly ArrowColumn[], metadata: Readonly<Record<string, string>>): string {
  const entries = Object.entries(metadata).map(([key, value]) => new FlatTable([{ string: key }, { string: value }]));
  const schema = new FlatTable([{ int16: 0 }, { tables: columns.map(columnField) }, { tables: entries }]);
  const message = flatBuffer(
    new FlatTable([{ int16: METADATA_V5 }, { int8: HEADER_SCHEMA }, { table: schema }, { int64: 0n }]),
  );
  const padded = Math.ceil(message.length / 8) * 8;
  const result = Buffer.alloc(8 + padded);
  result.writeUInt32LE(0xffffffff, 0);
  result.writeInt32LE(padded, 4);
  result.set(message, 8);
  return result.toString("base64");
}

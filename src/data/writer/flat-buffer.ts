/** One field of a table: a number of some width, a text, a table, or a vector of tables. */
export type FlatField =
  | { readonly int8: number }
  | { readonly int16: number }
  | { readonly int32: number }
  | { readonly int64: bigint }
  | { readonly string: string }
  | { readonly table: FlatTable }
  | { readonly tables: readonly FlatTable[] };

/** A table of a FlatBuffer: its fields in the order of its schema, undefined where one is left out. */
export class FlatTable {
  readonly fields: readonly (FlatField | undefined)[];
  constructor(fields: readonly (FlatField | undefined)[]) {
    this.fields = fields;
  }
}

/** Every field takes a slot of eight bytes, so that all of them are aligned whatever their width. */
const SLOT = 8;

/**
 * A FlatBuffer with the given table as its root.
 *
 * Written front to back: each table is its list of field offsets (the vtable), then the table, then what it refers to.
 * Larger than a usual encoder's result, which packs fields and shares equal vtables.
 *
 * Reference: "FlatBuffers internals": offsets are unsigned and point forwards, that from a table to its vtable is signed
 * and points backwards when positive.
 */
export function flatBuffer(root: FlatTable): Buffer {
  let buffer = Buffer.alloc(1024);
  let end = 8;
  const reserve = (size: number): number => {
    const start = end;
    end = Math.ceil((end + size) / SLOT) * SLOT;
    if (end > buffer.length) buffer = Buffer.concat([buffer, Buffer.alloc(Math.max(buffer.length, end))]);
    return start;
  };
  const writeString = (text: string): number => {
    const bytes = Buffer.from(text);
    const at = reserve(4 + bytes.length + 1);
    buffer.writeUInt32LE(bytes.length, at);
    buffer.set(bytes, at + 4);
    return at;
  };
  const writeTables = (tables: readonly FlatTable[]): number => {
    const at = reserve(4 + 4 * tables.length);
    buffer.writeUInt32LE(tables.length, at);
    for (const [i, table] of tables.entries()) {
      const place = at + 4 + 4 * i;
      const target = writeTable(table);
      buffer.writeUInt32LE(target - place, place);
    }
    return at;
  };
  const writeTable = ({ fields }: FlatTable): number => {
    const vtable = reserve(4 + 2 * fields.length);
    const size = SLOT * (1 + fields.length);
    const table = reserve(size);
    buffer.writeUInt16LE(4 + 2 * fields.length, vtable);
    buffer.writeUInt16LE(size, vtable + 2);
    buffer.writeInt32LE(table - vtable, table);
    for (const [i, field] of fields.entries()) {
      if (field === undefined) continue;
      const place = table + SLOT * (1 + i);
      buffer.writeUInt16LE(place - table, vtable + 4 + 2 * i);
      if ("int8" in field) buffer.writeInt8(field.int8, place);
      else if ("int16" in field) buffer.writeInt16LE(field.int16, place);
      else if ("int32" in field) buffer.writeInt32LE(field.int32, place);
      else if ("int64" in field) buffer.writeBigInt64LE(field.int64, place);
      else {
        const target =
          "string" in field
            ? writeString(field.string)
            : "table" in field
              ? writeTable(field.table)
              : writeTables(field.tables);
        buffer.writeUInt32LE(target - place, place);
      }
    }
    return table;
  };
  const target = writeTable(root);
  buffer.writeUInt32LE(target, 0);
  return buffer.subarray(0, end);
}

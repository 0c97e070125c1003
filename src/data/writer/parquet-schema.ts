import type { SchemaElement } from "hyparquet";

/** What a column's values, or the innermost entries of its lists, are. `image` is an encoded picture with its name. */
export type ColumnType = "float32" | "float64" | "int32" | "int64" | "bool" | "string" | "image";

const LEAVES: Readonly<Record<Exclude<ColumnType, "image">, NonNullable<SchemaElement["type"]>>> = {
  float32: "FLOAT",
  float64: "DOUBLE",
  int32: "INT32",
  int64: "INT64",
  bool: "BOOLEAN",
  string: "BYTE_ARRAY",
};

/**
 * The schema elements of a column as Arrow's writers make them: every level may be null, list entries are called
 * `element`, an image is a struct of `bytes` and `path`.
 *
 * @param depth 0 for plain values, 1 for lists, 2 for lists of lists, and so on
 */
export function columnSchema(name: string, type: ColumnType, depth: number): SchemaElement[] {
  if (depth > 0) {
    return [
      { name, repetition_type: "OPTIONAL", converted_type: "LIST", num_children: 1 },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      ...columnSchema("element", type, depth - 1),
    ];
  }
  if (type === "image") {
    return [
      { name, repetition_type: "OPTIONAL", num_children: 2 },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
    ];
  }
  const leaf: SchemaElement = { name, type: LEAVES[type], repetition_type: "OPTIONAL" };
  return [type === "string" ? { ...leaf, converted_type: "UTF8" } : leaf];
}

import { ParquetTable } from "./parquet-table.js";

/** LeRobot 0.4 stores the texts as the index of a pandas table, which this entry of the file says. */
const PANDAS = {
  index_columns: ["__index_level_0__"],
  column_indexes: [
    { name: null, field_name: null, pandas_type: "unicode", numpy_type: "object", metadata: { encoding: "UTF-8" } },
  ],
  columns: [
    { name: "task_index", field_name: "task_index", pandas_type: "int64", numpy_type: "int64", metadata: null },
    { name: null, field_name: "__index_level_0__", pandas_type: "unicode", numpy_type: "object", metadata: null },
  ],
  creator: { library: "pyarrow", version: "21.0.0" },
  pandas_version: "2.3.3",
};

/** Writes `meta/tasks.parquet`: row `i` is the text of task index `i`. */
export async function writeTaskTable(path: string, tasks: readonly string[]): Promise<void> {
  const table = new ParquetTable(
    path,
    [
      { name: "task_index", type: "int64", depth: 0 },
      { name: "__index_level_0__", type: "string", depth: 0 },
    ],
    [{ key: "pandas", value: JSON.stringify(PANDAS) }],
  );
  await table.append(
    new Map<string, readonly unknown[]>([
      ["task_index", tasks.map((_, i) => BigInt(i))],
      ["__index_level_0__", tasks],
    ]),
  );
  await table.close();
}

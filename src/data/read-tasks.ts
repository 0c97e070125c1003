import { DatasetError } from "../support/errors.js";
import { ParquetFile } from "./parquet-file.js";

/** What LeRobot's versions call the column that holds the text. */
const TEXT_COLUMNS = ["task", "__index_level_0__"] as const;

/**
 * The instructions of a v3.0 dataset: entry `i` is the text of task index `i`.
 *
 * LeRobot looks tasks up by row, not by their index, so a file whose rows are not in the order of the indices would mean
 * one thing there and another here; it is refused.
 *
 * @throws DatasetError naming the file and the row
 */
export async function readTasks(path: string): Promise<string[]> {
  const file = await ParquetFile.open(path);
  const textColumn = TEXT_COLUMNS.find((name) => file.columnNames.includes(name));
  if (textColumn === undefined) {
    throw new DatasetError(
      `${path}: expected a column "task" or "__index_level_0__", got only ${file.columnNames.map((c) => `"${c}"`).join(", ")}`,
    );
  }
  const indices = await file.readFlatColumn("task_index");
  const texts = await file.readFlatColumn(textColumn);
  return texts.map((text, row) => {
    if (typeof text !== "string") throw new DatasetError(`${path}: expected a text in row ${row}, got ${String(text)}`);
    if (Number(indices[row]) !== row) {
      throw new DatasetError(
        `${path}: expected the rows in the order of task_index, starting at 0, got ${String(indices[row])} in row ${row}. ` +
          "LeRobot looks tasks up by row, so the instructions would be mixed up: sort the file's rows",
      );
    }
    return text;
  });
}

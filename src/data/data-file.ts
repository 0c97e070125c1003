import { DatasetError } from "../support/errors.js";
import type { DatasetMetadata } from "./dataset-metadata.js";
import type { EpisodeMetadata } from "./episode.js";
import { isNumeric, type NumericFeature } from "./feature.js";
import { type NumericColumn, readNumericColumn } from "./numeric-column.js";
import { ParquetFile } from "./parquet-file.js";

/** One parquet file of frames with all its numeric columns in memory. */
export class DataFile {
  readonly parquet: ParquetFile;
  readonly columns: ReadonlyMap<string, NumericColumn>;
  /** frame, counted over the dataset, to row; undefined where the rows are in order without gaps */
  readonly #rowOfFrame: ReadonlyMap<number, number> | undefined;
  readonly #firstFrame: number;

  private constructor(parquet: ParquetFile, columns: ReadonlyMap<string, NumericColumn>) {
    this.parquet = parquet;
    this.columns = columns;
    const frames = Array.from(columns.get("index")!.data, Number);
    this.#firstFrame = frames[0] ?? 0;
    const isInOrder = frames.every((frame, row) => frame === this.#firstFrame + row);
    this.#rowOfFrame = isInOrder ? undefined : new Map(frames.map((frame, row) => [frame, row]));
  }

  /** @throws DatasetError naming the file and the feature for a file that is damaged or lacks a feature */
  static async open(path: string, metadata: DatasetMetadata): Promise<DataFile> {
    const parquet = await ParquetFile.open(path);
    const columns = new Map<string, NumericColumn>();
    const features: NumericFeature[] = [...metadata.features.values()].filter(isNumeric);
    for (const feature of features) columns.set(feature.name, await readNumericColumn(parquet, feature));
    return new DataFile(parquet, columns);
  }

  get sizeBytes(): number {
    return [...this.columns.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  /**
   * The row of an episode's frame.
   *
   * @param frame counted over the dataset
   * @throws DatasetError if the file does not hold that frame of that episode
   */
  rowOf(frame: number, episode: EpisodeMetadata): number {
    const row = this.#rowOfFrame === undefined ? frame - this.#firstFrame : this.#rowOfFrame.get(frame);
    if (row === undefined || row < 0 || row >= this.parquet.numRows) {
      throw new DatasetError(
        `${this.parquet.path}: expected frame ${frame} of episode ${episode.index}, got a file of ${this.parquet.numRows} rows without it. ` +
          "The file is shorter than the episode table says or belongs to another recording",
      );
    }
    const owner = this.value("episode_index", row);
    if (owner !== episode.index) {
      throw new DatasetError(
        `${this.parquet.path}: expected frame ${frame} to belong to episode ${episode.index}, got episode ${owner}`,
      );
    }
    return row;
  }

  /** One entry of a scalar column. */
  value(name: "episode_index" | "task_index" | "timestamp", row: number): number {
    return Number(this.columns.get(name)!.data[row]);
  }
}

import { join } from "node:path";
import type { Statistic } from "../dataset-stats.js";
import { FIRST_FILE, type FilePosition, nextFile, pathOfFile } from "./file-position.js";
import type { FeatureStatistics } from "./numeric-statistics.js";
import { ParquetTable, type TableColumn } from "./parquet-table.js";
import type { VideoPlace } from "./video-track.js";

/** Episodes per row group, as LeRobot writes them. */
const GROUP_SIZE = 10;

/** A saved episode. */
export interface EpisodeRecord {
  readonly index: number;
  readonly tasks: readonly string[];
  readonly length: number;
  readonly data: FilePosition;
  /** first frame, and one after the last, counted over the dataset */
  readonly from: number;
  readonly to: number;
  readonly videos: ReadonlyMap<string, VideoPlace>;
  readonly statistics: ReadonlyMap<string, FeatureStatistics>;
}

interface Cell extends TableColumn {
  readonly value: unknown;
}

const integer = (name: string, value: number): Cell => ({ name, type: "int64", depth: 0, value: BigInt(value) });
const seconds = (name: string, value: number): Cell => ({ name, type: "float64", depth: 0, value });

/** Values as lists of the statistic's shape. */
function nest<T>(values: readonly T[], shape: readonly number[]): unknown {
  const [size, ...inner] = shape;
  if (size === undefined) return values[0];
  const step = values.length / size;
  return Array.from({ length: size }, (_, i) => nest(values.slice(i * step, (i + 1) * step), inner));
}

function statisticCell(feature: string, name: string, { shape, values }: Statistic, isInteger: boolean): Cell {
  return {
    name: `stats/${feature}/${name}`,
    type: isInteger ? "int64" : "float64",
    depth: shape.length,
    value: isInteger ? nest(values.map(BigInt), shape) : nest(values, shape),
  };
}

/** The table of episodes with their statistics, in parquet files. */
export class EpisodeTable {
  readonly #folder: string;
  readonly #capBytes: number;
  readonly #chunksSize: number;
  readonly #isInteger: (feature: string, statistic: string) => boolean;
  #table: ParquetTable | undefined;
  #position = FIRST_FILE;
  #numRows = 0;
  #waiting: (readonly Cell[])[] = [];

  /** @param isInteger which statistics are stored as integers */
  constructor(
    folder: string,
    capBytes: number,
    chunksSize: number,
    isInteger: (feature: string, statistic: string) => boolean,
  ) {
    this.#folder = folder;
    this.#capBytes = capBytes;
    this.#chunksSize = chunksSize;
    this.#isInteger = isInteger;
  }

  /** Appends an episode; it may wait in memory until the table is closed. */
  async append(episode: EpisodeRecord): Promise<void> {
    const size = this.#table?.sizeBytes ?? 0;
    if (this.#numRows > 0 && size + size / this.#numRows >= this.#capBytes) {
      await this.close();
      this.#position = nextFile(this.#position, this.#chunksSize);
    }
    this.#waiting.push(this.#cells(episode));
    if (this.#waiting.length >= GROUP_SIZE) await this.#flush();
  }

  /** Completes the last file. */
  async close(): Promise<void> {
    await this.#flush();
    await this.#table?.close();
    this.#table = undefined;
    this.#numRows = 0;
  }

  async #flush(): Promise<void> {
    const first = this.#waiting[0];
    if (first === undefined) return;
    this.#table ??= new ParquetTable(join(this.#folder, pathOfFile(this.#position, "parquet")), first);
    await this.#table.append(
      new Map(first.map(({ name }, i) => [name, this.#waiting.map((cells) => cells[i]!.value)])),
    );
    this.#numRows += this.#waiting.length;
    this.#waiting = [];
  }

  #cells(episode: EpisodeRecord): Cell[] {
    return [
      integer("episode_index", episode.index),
      { name: "tasks", type: "string", depth: 1, value: [...episode.tasks] },
      integer("length", episode.length),
      integer("data/chunk_index", episode.data.chunk),
      integer("data/file_index", episode.data.file),
      integer("dataset_from_index", episode.from),
      integer("dataset_to_index", episode.to),
      ...[...episode.videos].flatMap(([camera, { position, fromTimestampS, toTimestampS }]) => [
        integer(`videos/${camera}/chunk_index`, position.chunk),
        integer(`videos/${camera}/file_index`, position.file),
        seconds(`videos/${camera}/from_timestamp`, fromTimestampS),
        seconds(`videos/${camera}/to_timestamp`, toTimestampS),
      ]),
      ...[...episode.statistics].flatMap(([feature, statistics]) =>
        [...statistics].map(([name, statistic]) =>
          statisticCell(feature, name, statistic, this.#isInteger(feature, name)),
        ),
      ),
      integer("meta/episodes/chunk_index", this.#position.chunk),
      integer("meta/episodes/file_index", this.#position.file),
    ];
  }
}

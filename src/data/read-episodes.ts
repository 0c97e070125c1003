import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatasetError } from "../support/errors.js";
import type { DatasetInfo } from "./dataset-info.js";
import { fillPathTemplate, pathInDataset } from "./dataset-path.js";
import type { EpisodeMetadata, EpisodeVideo } from "./episode.js";
import { ParquetFile } from "./parquet-file.js";

/** All `meta/episodes/chunk-NNN/file-NNN.parquet`, in order. */
async function episodeFiles(root: string): Promise<string[]> {
  const folder = join(root, "meta", "episodes");
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  const files = names.filter((name) => name.endsWith(".parquet")).sort();
  if (files.length === 0) {
    throw new DatasetError(`${folder}: expected the parquet files of a LeRobot v3.0 episode table, got none`);
  }
  return files.map((name) => join(folder, name));
}

/** Columns of one file of the episode table, read on demand: the many columns of statistics are never decoded. */
class EpisodeTable {
  readonly #file: ParquetFile;
  readonly #columns = new Map<string, readonly unknown[]>();

  constructor(file: ParquetFile) {
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }

  get numRows(): number {
    return this.#file.numRows;
  }

  has = (name: string): boolean => this.#file.columnNames.includes(name);

  async load(names: readonly string[]): Promise<void> {
    for (const name of names) this.#columns.set(name, await this.#file.readFlatColumn(name));
  }

  number(name: string, row: number): number {
    const value = this.#columns.get(name)?.[row];
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number)) return number;
    throw new DatasetError(`${this.path}: expected a number in column "${name}", row ${row}, got ${String(value)}`);
  }

  count(name: string, row: number): number {
    const number = this.number(name, row);
    if (Number.isSafeInteger(number) && number >= 0) return number;
    throw new DatasetError(`${this.path}: expected a whole number in column "${name}", row ${row}, got ${number}`);
  }
}

const COLUMNS = [
  "episode_index",
  "length",
  "data/chunk_index",
  "data/file_index",
  "dataset_from_index",
  "dataset_to_index",
] as const;
const VIDEO_COLUMNS = ["chunk_index", "file_index", "from_timestamp"] as const;

function readVideo(
  table: EpisodeTable,
  row: number,
  camera: string,
  template: string,
  root: string,
  infoPath: string,
): EpisodeVideo {
  const where = `${infoPath} at video_path`;
  const values = {
    video_key: camera,
    chunk_index: table.count(`videos/${camera}/chunk_index`, row),
    file_index: table.count(`videos/${camera}/file_index`, row),
  };
  const end = `videos/${camera}/to_timestamp`;
  return {
    path: pathInDataset(root, fillPathTemplate(template, values, where), where),
    fromTimestampS: table.number(`videos/${camera}/from_timestamp`, row),
    toTimestampS: table.has(end) ? table.number(end, row) : undefined,
  };
}

/**
 * The episodes of a v3.0 dataset, ordered by their index whatever their order on disk.
 *
 * @throws DatasetError naming file, column and row
 */
export async function readEpisodes(root: string, info: DatasetInfo, infoPath: string): Promise<EpisodeMetadata[]> {
  const cameras = [...info.features.values()].filter(({ kind }) => kind === "video").map(({ name }) => name);
  const episodes: EpisodeMetadata[] = [];
  for (const path of await episodeFiles(root)) {
    const table = new EpisodeTable(await ParquetFile.open(path));
    const present = cameras.filter((camera) => VIDEO_COLUMNS.every((c) => table.has(`videos/${camera}/${c}`)));
    const ends = present.map((camera) => `videos/${camera}/to_timestamp`).filter(table.has);
    await table.load([...COLUMNS, ...present.flatMap((c) => VIDEO_COLUMNS.map((v) => `videos/${c}/${v}`)), ...ends]);
    for (let row = 0; row < table.numRows; row++) {
      const values = {
        chunk_index: table.count("data/chunk_index", row),
        file_index: table.count("data/file_index", row),
      };
      const where = `${infoPath} at data_path`;
      const episode: EpisodeMetadata = {
        index: table.count("episode_index", row),
        length: table.count("length", row),
        from: table.count("dataset_from_index", row),
        to: table.count("dataset_to_index", row),
        dataPath: pathInDataset(root, fillPathTemplate(info.dataPath, values, where), where),
        videos: new Map(
          present.map((camera) => [camera, readVideo(table, row, camera, info.videoPath ?? "", root, infoPath)]),
        ),
      };
      if (episode.to - episode.from !== episode.length) {
        throw new DatasetError(
          `${path}: expected episode ${episode.index} to have ${episode.length} frames, got frames ${episode.from} to ${episode.to}`,
        );
      }
      episodes.push(episode);
    }
  }
  return episodes.sort((a, b) => a.index - b.index);
}

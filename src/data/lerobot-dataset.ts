import { ConfigError, type ConfigProblem, DatasetError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import type { DataFile } from "./data-file.js";
import { type DatasetMetadata, readDatasetMetadata } from "./dataset-metadata.js";
import { chunkDeltaIndices, type DeltaIndices, type DeltaTimestamps, resolveDeltaTimestamps } from "./delta-indices.js";
import type { EpisodeMetadata } from "./episode.js";
import { FrameIndex } from "./frame-index.js";
import { FrameTable } from "./frame-table.js";
import { decodeImageCell } from "./image-cell.js";
import { createNodeAvBackend } from "./node-av-backend.js";
import { takeRow, takeRows } from "./numeric-column.js";
import { stackArrays } from "./stack-arrays.js";
import { VideoReader } from "./video-reader.js";

/** How a dataset is opened. */
export interface LeRobotDatasetOptions {
  /** the dataset's folder */
  readonly root: string;
  /** its name on the hub, kept in the metadata */
  readonly repoId?: string | undefined;
  /** indices of the episodes to use, in any order; all if left out */
  readonly episodes?: readonly number[] | undefined;
  /** A: each item holds the current observations and the next A actions; a single action if left out */
  readonly chunkSize?: number | undefined;
  /** the general form of `chunkSize`: per feature, the frames around the current one, in seconds; not both */
  readonly deltaTimestamps?: DeltaTimestamps | undefined;
  /** how far times may be from what they should be, in seconds */
  readonly toleranceS?: number | undefined;
  /** `skip` leaves cameras out of the items, for work that needs numbers only */
  readonly cameras?: "decode" | "skip" | undefined;
}

/** One frame of a dataset with what surrounds it. */
export interface DatasetItem {
  /**
   * By feature name, and `<name>_is_pad` for features with several frames. Cameras are uint8 RGB in [0, 255]; numbers are
   * float32, int64 or bool.
   */
  readonly arrays: Readonly<Record<string, HostArray>>;
  /** the instruction in natural language */
  readonly task: string;
}

/** LeRobot's own default, in seconds. */
const DEFAULT_TOLERANCE_S = 1e-4;

function checkOptions(options: LeRobotDatasetOptions): void {
  const problems: ConfigProblem[] = [];
  const { chunkSize, toleranceS, deltaTimestamps } = options;
  if (chunkSize !== undefined && !(Number.isSafeInteger(chunkSize) && chunkSize >= 1)) {
    problems.push({ path: "chunkSize", message: `expected a whole number of at least 1, got ${chunkSize}` });
  }
  if (toleranceS !== undefined && !(toleranceS >= 0)) {
    problems.push({ path: "toleranceS", message: `expected a number of seconds of at least 0, got ${toleranceS}` });
  }
  if (chunkSize !== undefined && deltaTimestamps !== undefined) {
    problems.push({ path: "deltaTimestamps", message: "expected either chunkSize or deltaTimestamps, got both" });
  }
  if (problems.length > 0) throw new ConfigError("LeRobotDataset.open", problems);
}

/** Where LeRobot's recorder leaves an episode's frames as files, in the v2.1 and in the v3.0 layout. */
const frameFolders = (camera: string, episode: number): readonly string[] =>
  ["_", "-"].map((sign) => `images/${camera}/episode${sign}${String(episode).padStart(6, "0")}`);

/**
 * A LeRobot dataset on disk, read frame by frame.
 *
 * Items are those of stock LeRobot 0.4.4, except that camera frames stay uint8 (there: divided by 255) and text features
 * are left out. Data and video files are opened when first needed. Instances share nothing, so each thread opens its own;
 * decoding a video runs on the calling thread.
 */
export class LeRobotDataset implements AsyncIterable<DatasetItem>, AsyncDisposable {
  readonly metadata: DatasetMetadata;
  /** number of frames of the selected episodes */
  readonly numFrames: number;
  /** number of selected episodes */
  readonly numEpisodes: number;
  /** selected episodes, in the order of their frames */
  readonly episodes: readonly EpisodeMetadata[];
  readonly #index: FrameIndex;
  readonly #deltas: DeltaIndices;
  readonly #toleranceS: number;
  readonly #readsCameras: boolean;
  readonly #table: FrameTable;
  #videos: Promise<VideoReader> | undefined;
  #isClosed = false;

  private constructor(metadata: DatasetMetadata, options: LeRobotDatasetOptions) {
    this.metadata = metadata;
    this.#index = new FrameIndex(metadata, options.episodes);
    this.episodes = this.#index.episodes;
    this.numEpisodes = this.episodes.length;
    this.numFrames = this.#index.numFrames;
    this.#toleranceS = options.toleranceS ?? DEFAULT_TOLERANCE_S;
    this.#deltas =
      options.chunkSize === undefined
        ? resolveDeltaTimestamps(metadata, options.deltaTimestamps ?? {}, this.#toleranceS)
        : chunkDeltaIndices(metadata, options.chunkSize);
    this.#readsCameras = options.cameras !== "skip";
    this.#table = new FrameTable(metadata);
  }

  /**
   * Opens a dataset folder and reads its metadata.
   *
   * @throws DatasetError if the folder is missing or damaged, or an option does not fit the dataset
   * @throws ConfigError for options that fit no dataset
   */
  static async open(options: LeRobotDatasetOptions): Promise<LeRobotDataset> {
    checkOptions(options);
    return new LeRobotDataset(await readDatasetMetadata(options.root, options.repoId), options);
  }

  /**
   * One frame of the selected episodes with the frames around it that were asked for.
   *
   * Frames beyond the episode are replaced by its first or last one and marked in `<feature>_is_pad` (bool, one entry per
   * frame). A feature of shape `[D]` becomes float32 `[k, D]` for `k` frames, `[D]` if none were asked for; a video
   * `[k, 3, height, width]`, `[3, height, width]` for one frame; an image column `[k, 3, height, width]`.
   *
   * @param i counts over the frames of the selected episodes, from 0
   * @throws DatasetError for an index out of range, and for missing or damaged files
   */
  async item(i: number): Promise<DatasetItem> {
    if (this.#isClosed)
      throw new DatasetError(`${this.metadata.root}: expected an open dataset, got one that was closed`);
    const { episode, frame } = this.#index.locate(i);
    const file = await this.#table.file(episode);
    const row = file.rowOf(frame, episode);
    const arrays: Record<string, HostArray> = {};
    for (const { name, kind } of this.metadata.features.values()) {
      if (kind === "text" || kind === "other" || (kind !== "numeric" && !this.#readsCameras)) continue;
      const deltas = this.#deltas.get(name);
      const frames = (deltas ?? [0]).map((delta) => Math.max(episode.from, Math.min(episode.to - 1, frame + delta)));
      const rows = frames.map((f) => file.rowOf(f, episode));
      if (kind === "numeric") {
        const column = file.columns.get(name)!;
        arrays[name] = deltas === undefined ? takeRow(column, row) : takeRows(column, rows);
      } else {
        const images =
          kind === "video"
            ? await this.#videoFrames(file, name, rows, frames, episode)
            : await this.#imageCells(file, name, rows, frames, episode);
        // Stock LeRobot drops the dimension of a single frame for videos only.
        const isSqueezed = deltas === undefined || (kind === "video" && images.length === 1);
        arrays[name] = isSqueezed ? images[0]! : this.#stack(images, name, episode);
      }
      if (deltas !== undefined) arrays[`${name}_is_pad`] = this.#padding(deltas, frame, episode);
    }
    return { arrays, task: this.#task(file, row) };
  }

  /** All items in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<DatasetItem, void, undefined> {
    for (let i = 0; i < this.numFrames; i++) yield await this.item(i);
  }

  /** Closes all files and forgets all data; the dataset cannot be used afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#table.clear();
    // A decoder that could not be loaded has been reported to whoever asked for a frame.
    const reader = await this.#videos?.catch(() => undefined);
    reader?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #videoFrames(
    file: DataFile,
    camera: string,
    rows: readonly number[],
    frames: readonly number[],
    episode: EpisodeMetadata,
  ): Promise<HostArray[]> {
    const video = episode.videos.get(camera);
    if (video === undefined) {
      throw new DatasetError(
        `${this.metadata.root}: expected a video of ${camera} for episode ${episode.index}, got none in the episode table. ` +
          'Pass cameras: "skip" to read the dataset without cameras',
      );
    }
    this.#videos ??= createNodeAvBackend().then((backend) => new VideoReader(backend));
    const reader = await this.#videos;
    const times = rows.map((row) => video.fromTimestampS + file.value("timestamp", row));
    return reader.readFrames(
      video.path,
      times,
      this.#toleranceS,
      (k) => `episode ${episode.index}, frame ${frames[k]! - episode.from}`,
    );
  }

  async #imageCells(
    file: DataFile,
    camera: string,
    rows: readonly number[],
    frames: readonly number[],
    episode: EpisodeMetadata,
  ): Promise<HostArray[]> {
    const images: HostArray[] = [];
    const { root } = this.metadata;
    for (const [k, row] of rows.entries()) {
      const where = `${file.parquet.path}: ${camera} of episode ${episode.index}, frame ${frames[k]! - episode.from}`;
      const cell = await this.#table.imageCell(file, camera, row);
      images.push(await decodeImageCell(cell, root, where, frameFolders(camera, episode.index)));
    }
    return images;
  }

  #stack(images: readonly HostArray[], camera: string, episode: EpisodeMetadata): HostArray {
    const stacked = stackArrays(images);
    if (stacked !== undefined) return stacked;
    throw new DatasetError(
      `${this.metadata.root}: expected frames of one size from ${camera}, got several sizes in episode ${episode.index}`,
    );
  }

  #padding(deltas: readonly number[], frame: number, episode: EpisodeMetadata): HostArray {
    const isPad = deltas.map((delta) => Number(frame + delta < episode.from || frame + delta >= episode.to));
    return { dtype: "bool", shape: [isPad.length], data: Uint8Array.from(isPad) };
  }

  #task(file: DataFile, row: number): string {
    const taskIndex = file.value("task_index", row);
    const task = this.metadata.tasks[taskIndex];
    if (task !== undefined) return task;
    throw new DatasetError(
      `${file.parquet.path}: expected a task_index from 0 to ${this.metadata.tasks.length - 1} in row ${row}, got ${taskIndex}`,
    );
  }
}

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, type ConfigProblem, DatasetError, isUserError, messageOf } from "../../support/errors.js";
import { aggregateStatistics } from "../aggregate-statistics.js";
import type { Statistic } from "../dataset-stats.js";
import { type CheckedFrame, checkFrame, type RecordedFrame } from "./check-frame.js";
import { DataFiles } from "./data-files.js";
import { infoJson, statisticsJson } from "./dataset-json.js";
import { EpisodeBuffer } from "./episode-buffer.js";
import { EpisodeTable } from "./episode-table.js";
import { loadEncoder } from "./load-encoder.js";
import {
  type CameraFeature,
  type FeatureDeclaration,
  INDEX_FEATURES,
  type RecordedFeature,
  recordedFeatures,
} from "./recorded-feature.js";
import { openStagingFolder, type StagingFolder } from "./staging-folder.js";
import { syncFile } from "./sync-file.js";
import { writeTaskTable } from "./task-table.js";
import { type VideoPlace, VideoTrack } from "./video-track.js";

/** A new dataset. */
export interface DatasetWriterOptions {
  /** the dataset's folder, which appears when the dataset is finished */
  readonly root: string;
  /** frames per second, a whole number */
  readonly fps: number;
  readonly robotType?: string | undefined;
  /** by name, in the order of the files' columns; LeRobot's names are `observation.state`, `action`, `observation.images.*` */
  readonly features: Readonly<Record<string, FeatureDeclaration>>;
  /** whether the dataset names a place for videos; true if left out, false only without video cameras */
  readonly useVideos?: boolean | undefined;
  /** replaces a dataset that is there */
  readonly overwrite?: boolean | undefined;
  /** a file that would grow beyond this is followed by another one, in MB of 1024^2 bytes */
  readonly dataFilesSizeMb?: number | undefined;
  readonly videoFilesSizeMb?: number | undefined;
  /** files per folder */
  readonly chunksSize?: number | undefined;
}

/** LeRobot 0.4.4's own. */
const DEFAULTS = { useVideos: true, overwrite: false, dataFilesSizeMb: 100, videoFilesSizeMb: 200, chunksSize: 1000 };
const BYTES_PER_MB = 1024 ** 2;
/** As LeRobot compresses the images that it keeps. */
const PNG_COMPRESSION = 6;

type Settings = Readonly<typeof DEFAULTS>;

function checkOptions(options: DatasetWriterOptions): Settings {
  const problems: ConfigProblem[] = [];
  const chosen = Object.fromEntries(
    Object.entries(DEFAULTS).map(([key, value]) => [key, options[key as keyof Settings] ?? value]),
  ) as unknown as Settings;
  const expectAbove = (path: string, value: unknown, isWhole: boolean): void => {
    if (
      isWhole ? Number.isSafeInteger(value) && (value as number) >= 1 : Number.isFinite(value) && (value as number) > 0
    )
      return;
    const what = isWhole ? "a whole number of at least 1" : "a number above 0";
    problems.push({ path, message: `expected ${what}, got ${String(value)}` });
  };
  if (typeof options.root !== "string" || options.root === "") {
    problems.push({ path: "root", message: `expected a folder, got ${JSON.stringify(options.root)}` });
  }
  expectAbove("fps", options.fps, true);
  expectAbove("chunksSize", chosen.chunksSize, true);
  expectAbove("dataFilesSizeMb", chosen.dataFilesSizeMb, false);
  expectAbove("videoFilesSizeMb", chosen.videoFilesSizeMb, false);
  const video = Object.entries(options.features ?? {}).find(([, feature]) => feature?.dtype === "video")?.[0];
  if (!chosen.useVideos && video !== undefined) {
    problems.push({ path: "useVideos", message: `expected true, because ${video} is a video, got false` });
  }
  if (problems.length > 0) throw new ConfigError("DatasetWriter.create", problems);
  return chosen;
}

/**
 * Records a LeRobot v3.0 dataset frame by frame, as LeRobot 0.4.4 does: the same files, statistics and video encoding.
 *
 * ```ts
 * await using writer = await DatasetWriter.create({ root, fps: 10, features });
 * await writer.addFrame({ task: "push the block", arrays: { "observation.state": state, action, ... } });
 * await writer.saveEpisode();
 * await writer.finish();
 * ```
 *
 * The dataset grows in a hidden folder beside `root` and appears under its name in one step when it is finished. A writer
 * that is closed or killed before leaves no dataset. Memory holds the numbers and PNG images of one episode, and 3 KB per
 * frame and camera of it; videos are encoded as frames arrive.
 *
 * Await each call before the next one. After a failure to write, only `close` is of use.
 */
export class DatasetWriter implements AsyncDisposable {
  readonly #options: DatasetWriterOptions;
  readonly #settings: Settings;
  readonly #features: readonly RecordedFeature[];
  readonly #staging: StagingFolder;
  readonly #data: DataFiles;
  readonly #table: EpisodeTable;
  readonly #videos: ReadonlyMap<string, VideoTrack>;
  readonly #tasks: string[] = [];
  #statistics: ReadonlyMap<string, ReadonlyMap<string, Statistic>> | undefined;
  #episode: EpisodeBuffer;
  #numEpisodes = 0;
  #numFrames = 0;
  #state: "open" | "busy" | "failed" | "closed" = "open";

  private constructor(
    options: DatasetWriterOptions,
    settings: Settings,
    features: readonly RecordedFeature[],
    staging: StagingFolder,
    videos: ReadonlyMap<string, VideoTrack>,
  ) {
    this.#options = options;
    this.#settings = settings;
    this.#features = features;
    this.#staging = staging;
    this.#videos = videos;
    const { chunksSize } = settings;
    const capBytes = settings.dataFilesSizeMb * BYTES_PER_MB;
    const columns = [...features.filter(({ dtype }) => dtype !== "video"), ...INDEX_FEATURES];
    this.#data = new DataFiles(join(staging.dataset, "data"), columns, capBytes, chunksSize);
    const isInteger = this.#isInteger.bind(this);
    this.#table = new EpisodeTable(join(staging.dataset, "meta", "episodes"), capBytes, chunksSize, isInteger);
    this.#episode = new EpisodeBuffer(features);
  }

  /**
   * Begins a dataset.
   *
   * @throws ConfigError for options or features that cannot be used, all of them at once
   * @throws DatasetError if the place is taken, another writer works on it, or nothing can be written there
   */
  static async create(options: DatasetWriterOptions): Promise<DatasetWriter> {
    const settings = checkOptions(options);
    const features = recordedFeatures(options.features);
    const cameras = features.filter((f): f is CameraFeature => f.kind === "camera" && f.dtype === "video");
    const av = cameras.length > 0 ? await loadEncoder() : undefined;
    const staging = await openStagingFolder(options.root, settings.overwrite);
    const videos = new Map(
      cameras.map(({ name, width, height }, i) => {
        const track = new VideoTrack(av!, {
          width,
          height,
          fps: options.fps,
          folder: join(staging.dataset, "videos", name),
          scratch: join(staging.scratch, String(i)),
          capBytes: settings.videoFilesSizeMb * BYTES_PER_MB,
          chunksSize: settings.chunksSize,
        });
        return [name, track];
      }),
    );
    return new DatasetWriter(options, settings, features, staging, videos);
  }

  /** Saved episodes. */
  get numEpisodes(): number {
    return this.#numEpisodes;
  }

  /** Frames of saved episodes. */
  get numFrames(): number {
    return this.#numFrames;
  }

  /**
   * Adds a frame to the present episode. What is given is copied.
   *
   * @throws DatasetError for a frame that does not fit the features; the episode stays as it was
   */
  addFrame(frame: RecordedFrame): Promise<void> {
    return this.#run(async () => {
      const where = `episode ${this.#numEpisodes}, frame ${this.#episode.numFrames}`;
      const checked = checkFrame(this.#features, frame, where);
      await this.#write(async () => {
        const images = await this.#encodeImages(checked);
        for (const [name, track] of this.#videos) track.add(checked.pictures.get(name)!);
        this.#episode.add(checked, images);
      });
    });
  }

  /** Saves the present episode and begins the next one. @throws DatasetError if it has no frame */
  saveEpisode(): Promise<void> {
    return this.#run(async () => {
      const { numFrames, tasks } = this.#episode;
      if (numFrames === 0) {
        throw new DatasetError(
          `episode ${this.#numEpisodes}: expected at least one frame, got none. Call addFrame first`,
        );
      }
      await this.#write(async () => {
        const episodeTasks = [...new Set(tasks)];
        this.#tasks.push(...episodeTasks.filter((task) => !this.#tasks.includes(task)));
        const [index, from] = [this.#numEpisodes, this.#numFrames];
        const { rows, statistics } = this.#episode.complete({
          index,
          from,
          taskIndices: tasks.map((task) => this.#tasks.indexOf(task)),
          fps: this.#options.fps,
        });
        const data = await this.#data.append(rows, numFrames);
        const videos = new Map<string, VideoPlace>();
        for (const [name, track] of this.#videos) videos.set(name, await track.endEpisode());
        const to = from + numFrames;
        await this.#table.append({ index, tasks: episodeTasks, length: numFrames, data, from, to, videos, statistics });
        this.#statistics =
          this.#statistics === undefined
            ? statistics
            : aggregateStatistics([this.#statistics, statistics], `episode ${index}`);
        this.#numEpisodes++;
        this.#numFrames = to;
        this.#episode = new EpisodeBuffer(this.#features);
      });
    });
  }

  /** Forgets the frames of the present episode. */
  discardEpisode(): Promise<void> {
    return this.#run(async () => this.#forgetEpisode());
  }

  /**
   * Completes the dataset and puts it in its place; the writer is closed afterwards.
   *
   * @throws DatasetError if no episode was saved, or frames were added since the last one was
   */
  finish(): Promise<void> {
    return this.#run(async () => {
      const { root } = this.#options;
      const { numFrames } = this.#episode;
      if (numFrames > 0) {
        throw new DatasetError(
          `${root}: expected saved episodes only, got ${numFrames} frames that are not saved. Call saveEpisode or discardEpisode first`,
        );
      }
      if (this.#numEpisodes === 0) throw new DatasetError(`${root}: expected at least one saved episode, got none`);
      await this.#write(async () => {
        await this.#data.close();
        for (const track of this.#videos.values()) await track.close();
        await this.#table.close();
        await this.#writeMetadata();
        await this.#staging.publish();
      });
      await this.#write(() => this.#staging.release());
      this.#state = "closed";
    });
  }

  /** Deletes what is not finished. Does nothing after `finish`. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#forgetEpisode();
    await this.#staging.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #forgetEpisode(): void {
    for (const track of this.#videos.values()) track.discardEpisode();
    this.#episode = new EpisodeBuffer(this.#features);
  }

  async #encodeImages({ pictures }: CheckedFrame): Promise<ReadonlyMap<string, Uint8Array>> {
    const cameras = this.#features.filter((f): f is CameraFeature => f.kind === "camera" && f.dtype === "image");
    if (cameras.length === 0) return new Map();
    const { default: sharp } = await import("sharp");
    const encoded = cameras.map(async ({ name, width, height }) => {
      const image = sharp(pictures.get(name)!, { raw: { width, height, channels: 3 } });
      return [name, await image.png({ compressionLevel: PNG_COMPRESSION }).toBuffer()] as const;
    });
    return new Map(await Promise.all(encoded));
  }

  /** Statistics that LeRobot stores as integers: counts, and extremes of integers. */
  #isInteger(feature: string, statistic: string): boolean {
    if (statistic === "count") return true;
    const { dtype } = [...this.#features, ...INDEX_FEATURES].find(({ name }) => name === feature)!;
    return dtype === "int64" && (statistic === "min" || statistic === "max");
  }

  async #writeMetadata(): Promise<void> {
    const meta = join(this.#staging.dataset, "meta");
    await writeTaskTable(join(meta, "tasks.parquet"), this.#tasks);
    const info = infoJson({
      ...this.#settings,
      robotType: this.#options.robotType,
      fps: this.#options.fps,
      numEpisodes: this.#numEpisodes,
      numFrames: this.#numFrames,
      numTasks: this.#tasks.length,
      features: this.#features,
    });
    const texts = { "stats.json": statisticsJson(this.#statistics!, this.#isInteger.bind(this)), "info.json": info };
    for (const [name, text] of Object.entries(texts)) {
      await writeFile(join(meta, name), text);
      await syncFile(join(meta, name));
    }
  }

  /** One call at a time, and none on a writer that is closed or has failed. */
  async #run(work: () => Promise<void>): Promise<void> {
    if (this.#state !== "open") {
      const got = {
        busy: "a call while another one runs. Await each call",
        failed: "one that could not write before. Close it and record again",
        closed: "one that was closed",
      }[this.#state];
      throw new DatasetError(`${this.#options.root}: expected an open writer, got ${got}`);
    }
    this.#state = "busy";
    try {
      await work();
    } finally {
      if (this.#state === "busy") this.#state = "open";
    }
  }

  /** Work after whose failure the files are not to be trusted. */
  async #write(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#state = "failed";
      if (isUserError(error)) throw error;
      throw new DatasetError(`${this.#options.root}: the dataset cannot be written (${messageOf(error)})`);
    }
  }
}

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { SchemaElement } from "hyparquet";
import { type ColumnSource, fileWriter, ParquetWriter } from "hyparquet-writer";
import sharp from "sharp";
import { type ColumnType, columnSchema } from "../writer/parquet-schema.js";
import { LOSSLESS, picture, writeVideo } from "./write-video.js";

/** One episode of a test dataset and the files it lies in. */
export interface EpisodeRecipe {
  readonly length: number;
  /** numbers of its files; the episodes of one file must follow each other */
  readonly dataFile?: number;
  readonly videoFile?: number;
  readonly task?: number;
}

/** A small dataset in LeRobot's v3.0 layout. */
export interface DatasetRecipe {
  readonly episodes: readonly EpisodeRecipe[];
  readonly fps?: number;
  readonly tasks?: readonly string[];
  /** camera features; frame `i` of the dataset shows `picture(i)` */
  readonly cameras?: Readonly<Record<string, "video" | "image">>;
  readonly width?: number;
  readonly height?: number;
  /** further features: shape, type, and the value of a frame */
  readonly features?: Readonly<Record<string, ExtraFeature>>;
  /** changes to `meta/info.json`; undefined removes a key */
  readonly info?: Readonly<Record<string, unknown>>;
  /** files of the episode table, as lists of episode indices in the order of their rows */
  readonly episodeFiles?: readonly (readonly number[])[];
  /** names of the tasks file's columns, and the order of its rows */
  readonly taskColumn?: string;
  readonly taskRows?: readonly number[];
}

export interface ExtraFeature {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly value: (frame: number) => unknown;
}

export interface Column {
  readonly name: string;
  readonly dtype: string;
  /** list depth: 0 for plain values */
  readonly depth: number;
  readonly rows: readonly unknown[];
}

/** Writes a parquet file with the given row groups; all rows in one if left out. */
export async function writeParquet(
  path: string,
  columns: readonly Column[],
  groups?: readonly number[],
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const schema: SchemaElement[] = [
    { name: "root", num_children: columns.length },
    ...columns.flatMap(({ name, dtype, depth }) => columnSchema(name, dtype as ColumnType, depth)),
  ];
  const writer = new ParquetWriter({ writer: fileWriter(path), schema, codec: "SNAPPY" });
  let start = 0;
  for (const size of groups ?? [columns[0]?.rows.length ?? 0]) {
    const columnData = columns.map(({ name, rows }): ColumnSource => ({ name, data: rows.slice(start, start + size) }));
    await writer.write({ columnData });
    start += size;
  }
  await writer.finish();
}

const pathOf = (folder: string, file: number, extension: string): string =>
  join(folder, "chunk-000", `file-${String(file).padStart(3, "0")}.${extension}`);

/** The built-in features of every test dataset; `action` and `observation.state` hold `[frame, -frame]`. */
const STANDARD: Readonly<Record<string, ExtraFeature>> = {
  "observation.state": { dtype: "float32", shape: [2], value: (frame) => [frame, -frame] },
  action: { dtype: "float32", shape: [2], value: (frame) => [frame, -frame] },
};

/**
 * Writes a dataset into a new temporary folder.
 *
 * @returns the folder, removed by `await using`
 */
export async function writeDataset(recipe: DatasetRecipe): Promise<{ root: string } & AsyncDisposable> {
  const root = await mkdtemp(join(tmpdir(), "reflow-dataset-"));
  const { fps = 10, tasks = ["reach the line"], cameras = {}, width = 18, height = 14 } = recipe;
  const features = { ...STANDARD, ...recipe.features };
  let total = 0;
  const videoLengths = new Map<number, number>();
  const episodes = recipe.episodes.map(({ length, dataFile = 0, videoFile = 0, task = 0 }, index) => {
    const [from, inVideo] = [total, videoLengths.get(videoFile) ?? 0];
    total += length;
    videoLengths.set(videoFile, inVideo + length);
    return { index, length, dataFile, videoFile, task, from, to: total, inVideo };
  });
  const frames = episodes.flatMap((e) => Array.from({ length: e.length }, (_, i) => ({ ...e, i, frame: e.from + i })));
  const png = new Map<number, Uint8Array>();
  if (Object.values(cameras).includes("image")) {
    for (const { frame } of frames) {
      const raw = { width, height, channels: 3 as const };
      png.set(
        frame,
        await sharp(picture(frame, width, height), { raw })
          .png()
          .toBuffer(),
      );
    }
  }
  for (const dataFile of new Set(episodes.map((e) => e.dataFile))) {
    const rows = frames.filter((f) => f.dataFile === dataFile);
    const column = (
      name: string,
      dtype: string,
      depth: number,
      value: (f: (typeof rows)[number]) => unknown,
    ): Column => ({
      name,
      dtype,
      depth,
      rows: rows.map(value),
    });
    const columns = [
      ...Object.entries(features).map(([name, { dtype, shape, value }]) =>
        column(name, dtype, shape.length === 1 && shape[0] === 1 ? 0 : shape.length, ({ frame }) => value(frame)),
      ),
      column("timestamp", "float32", 0, ({ i }) => Math.fround(i / fps)),
      column("frame_index", "int64", 0, ({ i }) => BigInt(i)),
      column("episode_index", "int64", 0, ({ index }) => BigInt(index)),
      column("index", "int64", 0, ({ frame }) => BigInt(frame)),
      column("task_index", "int64", 0, ({ task }) => BigInt(task)),
      ...Object.entries(cameras)
        .filter(([, kind]) => kind === "image")
        .map(([name]) =>
          column(name, "image", 0, ({ frame }) => ({ bytes: png.get(frame), path: `frame-${frame}.png` })),
        ),
    ];
    const groups = episodes.filter((e) => e.dataFile === dataFile).map((e) => e.length);
    await writeParquet(pathOf(join(root, "data"), dataFile, "parquet"), columns, groups);
  }
  const videos = Object.keys(cameras).filter((name) => cameras[name] === "video");
  for (const camera of videos) {
    for (const [videoFile, numFrames] of videoLengths) {
      const path = pathOf(join(root, "videos", camera), videoFile, "mp4");
      await mkdir(dirname(path), { recursive: true });
      const first = episodes.find((e) => e.videoFile === videoFile)?.from ?? 0;
      writeVideo(path, { numFrames, width, height, fps: Math.round(fps) }, LOSSLESS, first);
    }
  }
  const files = recipe.episodeFiles ?? [episodes.map((e) => e.index)];
  for (const [file, indices] of files.entries()) {
    const rows = indices.map((index) => episodes[index]!);
    const column = (name: string, dtype: string, value: (e: (typeof rows)[number]) => unknown): Column => ({
      name,
      dtype,
      depth: 0,
      rows: rows.map(value),
    });
    await writeParquet(pathOf(join(root, "meta/episodes"), file, "parquet"), [
      column("episode_index", "int64", (e) => BigInt(e.index)),
      column("length", "int64", (e) => BigInt(e.length)),
      column("data/chunk_index", "int64", () => 0n),
      column("data/file_index", "int64", (e) => BigInt(e.dataFile)),
      column("dataset_from_index", "int64", (e) => BigInt(e.from)),
      column("dataset_to_index", "int64", (e) => BigInt(e.to)),
      ...videos.flatMap((camera) => [
        column(`videos/${camera}/chunk_index`, "int64", () => 0n),
        column(`videos/${camera}/file_index`, "int64", (e) => BigInt(e.videoFile)),
        column(`videos/${camera}/from_timestamp`, "float64", (e) => e.inVideo / Math.round(fps)),
        column(`videos/${camera}/to_timestamp`, "float64", (e) => (e.inVideo + e.length) / Math.round(fps)),
      ]),
    ]);
  }
  const taskRows = recipe.taskRows ?? tasks.map((_, i) => i);
  await writeParquet(join(root, "meta/tasks.parquet"), [
    { name: "task_index", dtype: "int64", depth: 0, rows: taskRows.map(BigInt) },
    { name: recipe.taskColumn ?? "task", dtype: "string", depth: 0, rows: taskRows.map((i) => tasks[i]) },
  ]);
  const scalar = (dtype: string) => ({ dtype, shape: [1], names: null });
  const info = {
    codebase_version: "v3.0",
    robot_type: "toy",
    total_episodes: episodes.length,
    total_frames: total,
    total_tasks: tasks.length,
    chunks_size: 1000,
    fps,
    splits: { train: `0:${episodes.length}` },
    data_path: "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    video_path: "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    features: {
      ...Object.fromEntries(
        Object.entries(features).map(([name, { dtype, shape }]) => [name, { dtype, shape, names: null }]),
      ),
      ...Object.fromEntries(
        Object.entries(cameras).map(([name, dtype]) => [
          name,
          { dtype, shape: [height, width, 3], names: ["height", "width", "channels"] },
        ]),
      ),
      timestamp: scalar("float32"),
      frame_index: scalar("int64"),
      episode_index: scalar("int64"),
      index: scalar("int64"),
      task_index: scalar("int64"),
    },
    ...recipe.info,
  };
  await writeFile(join(root, "meta/info.json"), JSON.stringify(info, undefined, 4));
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

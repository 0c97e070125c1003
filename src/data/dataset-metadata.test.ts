import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DatasetError } from "../support/errors.js";
import { readDatasetMetadata } from "./dataset-metadata.js";
import { ParquetFile } from "./parquet-file.js";
import { type DatasetRecipe, writeDataset, writeParquet } from "./testing/write-dataset.js";

const FIXTURES = join(import.meta.dirname, "../../test/fixtures");
const ROOT = join(FIXTURES, "tiny-smolvla/dataset-v3.0");
const ROOT_V21 = join(FIXTURES, "tiny-dataset-v2.1");

/** Copies of the fixtures, to be changed. */
let root = "";
let rootV21 = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "reflow-metadata-"));
  rootV21 = join(root, "v2.1");
  await cp(ROOT, root, { recursive: true });
  await cp(ROOT_V21, rootV21, { recursive: true });
});
afterEach(() => rm(root, { recursive: true, force: true }));

const message = async (of = root): Promise<string> =>
  readDatasetMetadata(of).then(
    () => expect.fail("no error was thrown"),
    (error: Error) => {
      expect(error).toBeInstanceOf(DatasetError);
      return error.message;
    },
  );

async function change(of: string, change: (info: Record<string, unknown>) => void): Promise<void> {
  const path = join(of, "meta/info.json");
  const info = JSON.parse(await readFile(path, "utf8"));
  change(info);
  await writeFile(path, JSON.stringify(info));
}

async function messageFor(recipe: Partial<DatasetRecipe>): Promise<string> {
  await using folder = await writeDataset({ episodes: [{ length: 2 }, { length: 2 }], ...recipe });
  return (await message(folder.root)).replaceAll(folder.root, "ROOT");
}

describe("metadata of the recorded dataset", () => {
  it("are those in its files", async () => {
    const metadata = await readDatasetMetadata(ROOT, "somebody/toy");
    expect(metadata).toMatchObject({
      root: ROOT,
      repoId: "somebody/toy",
      codebaseVersion: "v3.0",
      robotType: "toy",
      fps: 10,
      totalEpisodes: 10,
      totalFrames: 389,
      cameraKeys: ["observation.images.top", "observation.images.wrist"],
      tasks: ["pick up the red cube and place it in the bin", "push the T block to the target"],
    });
    expect(metadata.features.get("action")).toEqual({
      name: "action",
      dtype: "float32",
      shape: [3],
      names: ["a0", "a1", "a2"],
      kind: "numeric",
      hostDType: "float32",
    });
    expect(metadata.features.get("timestamp")?.names).toBeUndefined();
    expect(metadata.episodes.map(({ index }) => index)).toEqual(Array.from({ length: 10 }, (_, i) => i));
    const [, second] = metadata.episodes;
    expect(second).toMatchObject({ index: 1, length: 38, from: 44, to: 82 });
    expect(second?.dataPath).toBe(join(ROOT, "data/chunk-000/file-000.parquet"));
    expect(second?.videos.get("observation.images.wrist")).toEqual({
      path: join(ROOT, "videos/observation.images.wrist/chunk-000/file-000.mp4"),
      fromTimestampS: 4.4,
      toTimestampS: 8.2,
    });
  });

  it("hold the statistics in their shapes, as float32", async () => {
    const { stats, features } = await readDatasetMetadata(ROOT);
    expect([...stats.keys()].sort()).toEqual([...features.keys()].sort());
    const mean = stats.get("observation.images.top")?.get("mean");
    expect([mean?.dtype, mean?.shape]).toEqual(["float32", [3, 1, 1]]);
    expect(mean?.data[0]).toBe(Math.fround(0.13757531986659272));
    expect(stats.get("action")?.get("q99")?.shape).toEqual([3]);
    expect(stats.get("action")?.get("count")).toEqual({ dtype: "float32", shape: [1], data: Float32Array.of(389) });
  });

  it("have a hash that a copy shares and a change does not", async () => {
    const { contentHash } = await readDatasetMetadata(ROOT);
    expect(contentHash).toMatch(/^[0-9a-f]{64}$/);
    expect((await readDatasetMetadata(root)).contentHash).toBe(contentHash);
    await change(root, (info) => {
      info.robot_type = "other";
    });
    expect((await readDatasetMetadata(root)).contentHash).not.toBe(contentHash);
  });

  it("do without statistics, unknown keys and optional ones", async () => {
    await rm(join(root, "meta/stats.json"));
    await change(root, (info) => {
      info.tools = [{ anything: 1 }];
      info.robot_type = null;
      delete info.chunks_size;
      delete info.splits;
    });
    const metadata = await readDatasetMetadata(root);
    expect([metadata.stats.size, metadata.robotType, metadata.chunksSize]).toEqual([0, undefined, 1000]);
  });

  it("read statistics that Python wrote as NaN and Infinity", async () => {
    const stats = '{"note NaN": {"std": [NaN, -Infinity, 1.5]}, "x": {"max": Infinity, "min": [[1, 2], [3, 4]]}}';
    await writeFile(join(root, "meta/stats.json"), stats);
    const metadata = await readDatasetMetadata(root);
    expect(metadata.stats.get("note NaN")?.get("std")?.data).toEqual(
      Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY, 1.5),
    );
    expect(metadata.stats.get("x")?.get("max")).toEqual({
      dtype: "float32",
      shape: [],
      data: Float32Array.of(Number.POSITIVE_INFINITY),
    });
    expect(metadata.stats.get("x")?.get("min")?.shape).toEqual([2, 2]);
  });

  it("take the names of a feature's entries from a list or an object of lists", async () => {
    await change(root, (info) => {
      const features = info.features as Record<string, { names: unknown }>;
      features.action!.names = { motors: ["a", "b", "c"] };
      features["observation.state"]!.names = [1, 2, 3];
    });
    const { features } = await readDatasetMetadata(root);
    expect([features.get("action")?.names, features.get("observation.state")?.names]).toEqual([
      ["a", "b", "c"],
      undefined,
    ]);
  });
});

describe("metadata of the v2.1 layout", () => {
  it("are those in its files, with one data and video file per episode", async () => {
    const metadata = await readDatasetMetadata(rootV21);
    expect(metadata.tasks).toEqual(["reach the green line", "push the T block to the target"]);
    expect(metadata.episodes.map(({ from, to }) => [from, to])).toEqual([
      [0, 20],
      [20, 41],
      [41, 63],
    ]);
    expect(metadata.episodes[2]?.dataPath).toBe(join(rootV21, "data/chunk-000/episode_000002.parquet"));
    expect(metadata.episodes[2]?.videos.get("observation.images.top")).toEqual({
      path: join(rootV21, "videos/chunk-000/observation.images.top/episode_000002.mp4"),
      fromTimestampS: 0,
      toTimestampS: 2.2,
    });
  });

  it("join the statistics of the episodes into those of all frames", async () => {
    const { stats, episodes } = await readDatasetMetadata(rootV21);
    const rows: number[][] = [];
    for (const { dataPath } of episodes) {
      const file = await ParquetFile.open(dataPath);
      await file.readColumn("action", 3, (run) => rows.push(...(Array.from(run) as number[][])));
    }
    const action = stats.get("action")!;
    for (const d of [0, 1, 2]) {
      const column = rows.map((row) => row[d]!);
      const mean = column.reduce((sum, x) => sum + x, 0) / column.length;
      const std = Math.sqrt(column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / column.length);
      expect(action.get("mean")?.data[d]).toBeCloseTo(mean, 6);
      expect(action.get("std")?.data[d]).toBeCloseTo(std, 6);
      expect(action.get("min")?.data[d]).toBe(Math.min(...column));
      expect(action.get("max")?.data[d]).toBe(Math.max(...column));
    }
    expect(action.get("count")?.data).toEqual(Float32Array.of(63));
    expect(stats.get("observation.images.top")?.get("mean")?.shape).toEqual([3, 1, 1]);
  });

  it("are refused with file and line if a line is damaged or statistics do not fit together", async () => {
    const path = join(rootV21, "meta/episodes_stats.jsonl");
    const lines = (await readFile(path, "utf8")).trim().split("\n");
    await writeFile(path, [lines[0], lines[1]?.replace('"mean": [', '"mean": [0, ')].join("\n"));
    expect(await message(rootV21)).toBe(
      `${path} at observation.state: expected "mean" with the same shape in every episode, got it missing or another`,
    );
    await writeFile(path, `${lines[0]}\n\n{"episode_index":`);
    expect(await message(rootV21)).toMatch(/episodes_stats\.jsonl, line 3: expected JSON, got a damaged file/);
    await rm(path);
    await writeFile(join(rootV21, "meta/tasks.jsonl"), '{"task_index": 1, "task": "x"}\n');
    expect(await message(rootV21)).toBe(
      `${join(rootV21, "meta/tasks.jsonl")}: expected the task indices 0 to 0, got none for 0`,
    );
    await rm(join(rootV21, "meta/tasks.jsonl"));
    expect(await message(rootV21)).toBe(`${join(rootV21, "meta/tasks.jsonl")}: file not found`);
  });
});

describe("errors", () => {
  it("of a missing folder say what one holds", async () => {
    const content =
      "A LeRobot v3.0 dataset folder holds meta/info.json, meta/stats.json, meta/tasks.parquet, meta/episodes/, data/ and, " +
      "for cameras, videos/";
    const absent = join(root, "absent");
    expect(await message(absent)).toBe(
      `${absent}: expected a LeRobot dataset folder, got no folder at that path. ${content}`,
    );
    expect(await message(join(root, "videos"))).toBe(
      `${join(root, "videos")}: expected a LeRobot dataset folder, got one without meta/info.json. ${content}`,
    );
  });

  it("of missing tables name them", async () => {
    await rm(join(root, "meta/tasks.parquet"));
    expect(await message()).toBe(`${join(root, "meta/tasks.parquet")}: file not found`);
    await cp(join(ROOT, "meta/tasks.parquet"), join(root, "meta/tasks.parquet"));
    await rm(join(root, "meta/episodes"), { recursive: true });
    expect(await message()).toBe(
      `${join(root, "meta/episodes")}: expected the parquet files of a LeRobot v3.0 episode table, got none`,
    );
  });

  it("of the layout's version say which is supported and how LeRobot converts", async () => {
    const path = join(root, "meta/info.json");
    for (const version of ["v2.0", "v1.6", "one"]) {
      await change(root, (info) => {
        info.codebase_version = version;
      });
      expect(await message()).toBe(
        `${path} at codebase_version: expected a dataset layout v3.0 or v2.1, got "${version}". LeRobot 0.4 and later ` +
          'converts the v2.1 layout with "python -m lerobot.datasets.v30.convert_dataset_v21_to_v30 ' +
          "--repo-id=OWNER/NAME\"; older layouts need that script's predecessors first",
      );
    }
    await change(root, (info) => {
      info.codebase_version = "v4.0";
    });
    expect(await message()).toBe(
      `${path} at codebase_version: expected a dataset layout v3.0 or v2.1, got "v4.0". ` +
        "This dataset was written by a newer LeRobot than is known here",
    );
    await change(root, (info) => {
      info.codebase_version = "v3.1";
    });
    expect((await readDatasetMetadata(root)).codebaseVersion).toBe("v3.1");
  });

  it("of info.json name the file and every key", async () => {
    const path = join(root, "meta/info.json");
    await change(root, (info) => {
      delete info.data_path;
      info.fps = 0;
      (info.features as Record<string, unknown>).action = { dtype: "float32", shape: ["3"] };
    });
    expect(await message()).toBe(
      `${path}: 3 problems\n` +
        "  - fps: expected a number above 0, got 0\n" +
        "  - data_path: expected a text, got nothing\n" +
        '  - features.action.shape.0: expected a number, got "3"',
    );
    await writeFile(path, '{"codebase_version": "v3.0", ');
    expect(await message()).toMatch(/info\.json: expected JSON, got a damaged file \(/);
    await writeFile(path, "{}");
    expect(await message()).toBe(`${path} at codebase_version: expected a text, got nothing`);
  });

  it("of features say what every dataset has", async () => {
    const path = join(root, "meta/info.json");
    await change(root, (info) => {
      info.video_path = null;
    });
    expect(await message()).toBe(
      `${path} at video_path: expected a path template, because observation.images.top is a video, got nothing`,
    );
    await change(root, (info) => {
      (info.features as Record<string, { shape: number[] }>)["observation.images.top"]!.shape = [48, 64];
    });
    expect(await message()).toBe(
      `${path} at features.observation.images.top.shape: expected height, width and channels, got [48, 64]`,
    );
    await change(root, (info) => {
      delete (info.features as Record<string, unknown>).timestamp;
    });
    expect(await message()).toBe(
      `${path} at features.timestamp: expected the number that every LeRobot dataset has, got none`,
    );
  });

  it("of path templates name the key, and paths must stay in the dataset", async () => {
    const path = join(root, "meta/info.json");
    await change(root, (info) => {
      info.data_path = "data/{episode:03d}.parquet";
    });
    expect(await message()).toBe(
      `${path} at data_path: expected placeholders among chunk_index, file_index, got {episode:03d} in "data/{episode:03d}.parquet"`,
    );
    await change(root, (info) => {
      info.data_path = "../{chunk_index:03d}/x.parquet";
    });
    expect(await message()).toBe(
      `${path} at data_path: expected a path inside the dataset's folder, got "../000/x.parquet"`,
    );
  });

  it("of statistics name the feature and the statistic", async () => {
    const path = join(root, "meta/stats.json");
    await writeFile(path, '{"action": {"mean": [[1, 2], [3]]}}');
    expect(await message()).toBe(
      `${path} at action.mean: expected lists of one shape, got lists that differ in length`,
    );
    await writeFile(path, '{"action": {"mean": [1, "2"]}}');
    expect(await message()).toBe(`${path} at action.mean: expected numbers, got "2"`);
    await writeFile(path, '{"action": [1]}');
    expect(await message()).toBe(`${path} at action: expected an object of statistics, got [1]`);
    await writeFile(path, "[]");
    expect(await message()).toBe(`${path}: expected an object of features, got []`);
  });

  it("of the episode table name file, column and row, and what does not add up", async () => {
    expect(await messageFor({ info: { total_frames: 5 } })).toBe(
      "ROOT/meta/info.json: expected 2 episodes with 5 frames, got 2 episodes with 4 frames in the episode table. " +
        "The dataset is incomplete",
    );
    expect(await messageFor({ episodeFiles: [[0, 1], [1]] })).toBe(
      "ROOT/meta/info.json: expected every episode once, got episode 1 more than once",
    );
    const path = join(root, "meta/episodes/chunk-000/file-000.parquet");
    const table = (length: unknown, from: bigint) =>
      writeParquet(
        path,
        Object.entries({
          episode_index: 0n,
          length,
          "data/chunk_index": 0n,
          "data/file_index": 0n,
          dataset_from_index: from,
          dataset_to_index: 389n,
        }).map(([name, value]) => ({ name, dtype: "int64", depth: 0, rows: [value] })),
      );
    await table(389n, 1n);
    expect(await message()).toBe(`${path}: expected episode 0 to have 389 frames, got frames 1 to 389`);
    await table(null, 0n);
    expect(await message()).toBe(`${path}: expected a number in column "length", row 0, got null`);
    await table(-1n, 0n);
    expect(await message()).toBe(`${path}: expected a whole number in column "length", row 0, got -1`);
    await writeParquet(path, [{ name: "length", dtype: "int64", depth: 0, rows: [1n] }]);
    expect(await message()).toBe(`${path}: expected a column "episode_index", got only "length"`);
  });

  it("of the task table name the row that is out of order", async () => {
    const tasks = ["lift", "push"];
    expect(await messageFor({ tasks, taskRows: [1, 0] })).toBe(
      "ROOT/meta/tasks.parquet: expected the rows in the order of task_index, starting at 0, got 1 in row 0. " +
        "LeRobot looks tasks up by row, so the instructions would be mixed up: sort the file's rows",
    );
    expect(await messageFor({ tasks, taskColumn: "text" })).toBe(
      'ROOT/meta/tasks.parquet: expected a column "task" or "__index_level_0__", got only "task_index", "text"',
    );
    for (const taskColumn of ["task", "__index_level_0__"]) {
      await using folder = await writeDataset({ episodes: [{ length: 2 }], tasks, taskColumn });
      expect((await readDatasetMetadata(folder.root)).tasks).toEqual(tasks);
    }
  });

  it("are DatasetErrors for any truncation of any metadata file", async () => {
    for (const name of await readdir(join(root, "meta"), { recursive: true })) {
      if (!/\.(json|parquet)$/.test(name)) continue;
      const path = join(root, "meta", name);
      const bytes = await readFile(path);
      for (const share of [0, 0.3, 0.7, 0.99]) {
        await writeFile(path, bytes.subarray(0, Math.floor(bytes.length * share)));
        expect(await message()).toContain(path);
      }
      await writeFile(path, bytes);
    }
  });
});

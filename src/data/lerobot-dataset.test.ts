import { copyFile, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError, DatasetError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { readSafetensors } from "../support/safetensors.js";
import { type DatasetItem, LeRobotDataset, type LeRobotDatasetOptions } from "./lerobot-dataset.js";
import { fingerprint } from "./testing/fingerprint.js";
import { type Column, writeDataset, writeParquet } from "./testing/write-dataset.js";
import { planarPicture } from "./testing/write-video.js";

const FIXTURES = join(import.meta.dirname, "../../test/fixtures");
const ROOT = join(FIXTURES, "tiny-smolvla/dataset-v3.0");
const ROOT_V21 = join(FIXTURES, "tiny-dataset-v2.1");

/** A frame as stock LeRobot delivers it. */
const asFloats = (frame: HostArray): Float32Array =>
  Float32Array.from(frame.data as Uint8Array, (value) => value / 255);

const values = (item: DatasetItem, key: string): number[] => Array.from(item.arrays[key]!.data, Number);

async function readAll(options: LeRobotDatasetOptions): Promise<DatasetItem[]> {
  await using dataset = await LeRobotDataset.open(options);
  const items: DatasetItem[] = [];
  for await (const item of dataset) items.push(item);
  return items;
}

const failure = async (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => expect.fail("no error was thrown"),
    (error: Error) => error,
  );

describe("items of the recorded dataset", () => {
  it("equal those of stock LeRobot: every key, shape, type and byte", async () => {
    await using dataset = await LeRobotDataset.open({ root: ROOT, chunkSize: 10 });
    const expected = await readSafetensors(join(FIXTURES, "tiny-smolvla/parity/dataset_items.safetensors"));
    const keysByItem = new Map<number, string[]>();
    for (const [name, array] of expected) {
      const [index, key] = [Number.parseInt(name, 10), name.slice(name.indexOf("/") + 1)];
      keysByItem.set(index, [...(keysByItem.get(index) ?? []), key]);
      const ours = (await dataset.item(index)).arrays[key];
      expect(ours?.shape, name).toEqual(array.shape);
      if (ours?.dtype === "uint8") expect(asFloats(ours), name).toEqual(array.data);
      else expect(ours, name).toEqual(array);
    }
    expect(keysByItem.size).toBe(4);
    for (const [index, keys] of keysByItem) {
      expect(Object.keys((await dataset.item(index)).arrays).sort()).toEqual(keys.sort());
    }
  });

  it("are the same in sequential, backward and random order", async () => {
    const sequential = (await readAll({ root: ROOT, episodes: [2, 3] })).map(({ arrays }) => fingerprint(arrays));
    await using dataset = await LeRobotDataset.open({ root: ROOT, episodes: [2, 3] });
    const { length } = sequential;
    for (let i = length - 1; i >= 0; i--) expect(fingerprint((await dataset.item(i)).arrays)).toEqual(sequential[i]);
    for (let k = 0; k < length; k++) {
      const i = (k * 31) % length;
      expect(fingerprint((await dataset.item(i)).arrays)).toEqual(sequential[i]);
    }
  });

  it("are the same when many are asked for at once", async () => {
    const sequential = await readAll({ root: ROOT, episodes: [0] });
    await using dataset = await LeRobotDataset.open({ root: ROOT, episodes: [0] });
    const atOnce = await Promise.all(sequential.map((_, i) => dataset.item(i)));
    const all = (items: DatasetItem[]) => items.map(({ arrays, task }) => ({ task, arrays: fingerprint(arrays) }));
    expect(all(atOnce)).toEqual(all(sequential));
  });

  it("carry no padding and no extra dimension without a chunk size", async () => {
    await using dataset = await LeRobotDataset.open({ root: ROOT });
    const { arrays, task } = await dataset.item(5);
    expect(arrays.action?.shape).toEqual([3]);
    expect(arrays["observation.state"]?.shape).toEqual([3]);
    expect(arrays["observation.images.top"]?.shape).toEqual([3, 48, 64]);
    expect(Object.keys(arrays).filter((key) => key.endsWith("_is_pad"))).toEqual([]);
    expect(task).toBe("pick up the red cube and place it in the bin");
  });

  it("hold frames of the selected episodes only, in the dataset's order", async () => {
    await using dataset = await LeRobotDataset.open({ root: ROOT, episodes: [7, 1, 7], cameras: "skip" });
    expect(dataset.numEpisodes).toBe(2);
    const [first, second] = dataset.episodes;
    expect([first?.index, second?.index]).toEqual([1, 7]);
    expect(dataset.numFrames).toBe(first!.length + second!.length);
    const last = await dataset.item(first!.length - 1);
    const next = await dataset.item(first!.length);
    expect([values(last, "index"), values(next, "index")]).toEqual([[first!.to - 1], [second!.from]]);
    expect([values(last, "episode_index"), values(next, "episode_index")]).toEqual([[1], [7]]);
  });

  it("leave cameras out on request, with their padding", async () => {
    await using dataset = await LeRobotDataset.open({ root: ROOT, chunkSize: 2, cameras: "skip" });
    expect(Object.keys((await dataset.item(0)).arrays).sort()).toEqual(
      [
        "action",
        "action_is_pad",
        "episode_index",
        "frame_index",
        "index",
        "observation.state",
        "observation.state_is_pad",
        "task_index",
        "timestamp",
      ].sort(),
    );
  });
});

describe("items of the v2.1 layout", () => {
  it("are read with the same shapes, episode by episode", async () => {
    await using dataset = await LeRobotDataset.open({ root: ROOT_V21, chunkSize: 4 });
    expect([dataset.numFrames, dataset.numEpisodes]).toEqual([63, 3]);
    const item = await dataset.item(20);
    expect(values(item, "episode_index")).toEqual([1]);
    expect(values(item, "frame_index")).toEqual([0]);
    expect(item.task).toBe("push the T block to the target");
    expect(item.arrays["observation.images.top"]?.shape).toEqual([
      3,
      ...dataset.metadata.features.get("observation.images.top")!.shape.slice(0, 2),
    ]);
    expect(values(await dataset.item(19), "action_is_pad")).toEqual([0, 1, 1, 1]);
    for await (const { arrays } of dataset) expect(arrays["observation.images.top"]?.dtype).toBe("uint8");
  });
});

describe("frames around the current one", () => {
  it("repeat the episode's last action beyond its end and mark it as padding", async () => {
    await using folder = await writeDataset({ episodes: [{ length: 4 }, { length: 3 }] });
    await using dataset = await LeRobotDataset.open({ root: folder.root, chunkSize: 3 });
    const item = await dataset.item(2);
    expect(item.arrays.action?.shape).toEqual([3, 2]);
    expect(values(item, "action")).toEqual([2, -2, 3, -3, 3, -3]);
    expect(values(item, "action_is_pad")).toEqual([0, 0, 1]);
    expect(item.arrays.action_is_pad?.dtype).toBe("bool");
    expect(values(await dataset.item(4), "action")).toEqual([4, -4, 5, -5, 6, -6]);
    expect(values(await dataset.item(4), "action_is_pad")).toEqual([0, 0, 0]);
  });

  it("can lie in the past, for any feature, and repeat the first frame before the episode", async () => {
    await using folder = await writeDataset({
      episodes: [{ length: 3 }, { length: 5 }],
      cameras: { "observation.images.a": "video", "observation.images.b": "image" },
    });
    await using dataset = await LeRobotDataset.open({
      root: folder.root,
      deltaTimestamps: {
        "observation.images.a": [-0.2, -0.1, 0],
        "observation.images.b": [-0.1, 0],
        timestamp: [0.1, 0],
        action: [0],
      },
    });
    const item = await dataset.item(4);
    const { arrays } = item;
    const frames = (name: string, of: number[]) => {
      expect(arrays[name]?.shape).toEqual([of.length, 3, 14, 18]);
      expect(Buffer.concat(of.map((frame) => planarPicture(frame, 18, 14)))).toEqual(
        Buffer.from(arrays[name]!.data as Uint8Array),
      );
    };
    frames("observation.images.a", [3, 3, 4]);
    frames("observation.images.b", [3, 4]);
    expect(values(item, "observation.images.a_is_pad")).toEqual([1, 0, 0]);
    expect(arrays.timestamp?.shape).toEqual([2]);
    expect(Array.from(arrays.timestamp!.data, Number)).toEqual([0.2, 0.1].map(Math.fround));
    expect(arrays.action?.shape).toEqual([1, 2]);
    expect(arrays["observation.state"]?.shape).toEqual([2]);
  });

  it("keep the first dimension of a single frame for image columns and drop it for videos, as stock LeRobot does", async () => {
    await using folder = await writeDataset({
      episodes: [{ length: 2 }],
      cameras: { "observation.images.a": "video", "observation.images.b": "image" },
    });
    const [item] = await readAll({ root: folder.root, chunkSize: 1 });
    expect(item?.arrays["observation.images.a"]?.shape).toEqual([3, 14, 18]);
    expect(item?.arrays["observation.images.b"]?.shape).toEqual([1, 3, 14, 18]);
    const [plain] = await readAll({ root: folder.root });
    expect(plain?.arrays["observation.images.b"]?.shape).toEqual([3, 14, 18]);
  });

  it("must be multiples of the frame interval, of a feature that exists and holds numbers", async () => {
    const open = (deltaTimestamps: Record<string, number[]>) =>
      failure(LeRobotDataset.open({ root: ROOT, deltaTimestamps }));
    expect((await open({ action: [0, 0.05, 0.1] })).message).toBe(
      `${ROOT}: expected deltaTimestamps of action to be multiples of 1/10 s within 0.0001 s, got 0.05`,
    );
    expect((await open({ acton: [0] })).message).toBe(
      `${ROOT}: expected deltaTimestamps of features with numbers or frames, got no such feature "acton". Did you mean "action"?`,
    );
    expect(await open({ action: [Number.NaN] })).toBeInstanceOf(DatasetError);
  });
});

describe("datasets of many files", () => {
  const episodes = [
    { length: 3, dataFile: 0, videoFile: 0, task: 1 },
    { length: 4, dataFile: 0, videoFile: 1, task: 0 },
    { length: 2, dataFile: 1, videoFile: 1, task: 1 },
    { length: 5, dataFile: 2, videoFile: 2, task: 0 },
  ];
  const tasks = ["lift", "push"];

  it("are read across data, video and episode files, whatever the order of the episode table", async () => {
    await using folder = await writeDataset({
      episodes,
      tasks,
      cameras: { "observation.image": "video" },
      episodeFiles: [[3, 1], [0], [2]],
    });
    const items = await readAll({ root: folder.root });
    expect(items.map((item) => values(item, "index")[0])).toEqual(Array.from({ length: 14 }, (_, i) => i));
    for (const [i, { arrays, task }] of items.entries()) {
      expect(arrays["observation.image"]?.data).toEqual(planarPicture(i, 18, 14));
      expect(task).toBe(i < 3 || (i >= 7 && i < 9) ? "push" : "lift");
    }
  });

  it("need only the files of the selected episodes", async () => {
    await using folder = await writeDataset({ episodes, tasks, cameras: { "observation.image": "video" } });
    await rm(join(folder.root, "data/chunk-000/file-000.parquet"));
    await rm(join(folder.root, "videos/observation.image/chunk-000/file-000.mp4"));
    expect(await readAll({ root: folder.root, episodes: [2, 3] })).toHaveLength(7);
  });

  it("may store the rows of a file in any order", async () => {
    await using folder = await writeDataset({ episodes: [{ length: 2 }, { length: 2 }] });
    const column = (name: string, dtype: string, rows: unknown[]): Column => ({
      name,
      dtype,
      depth: Array.isArray(rows[0]) ? 1 : 0,
      rows,
    });
    const order = [2, 3, 0, 1];
    await writeParquet(join(folder.root, "data/chunk-000/file-000.parquet"), [
      column(
        "observation.state",
        "float32",
        order.map((i) => [i, -i]),
      ),
      column(
        "action",
        "float32",
        order.map((i) => [i, -i]),
      ),
      column("timestamp", "float32", [0, 0.1, 0, 0.1]),
      column("frame_index", "int64", [0n, 1n, 0n, 1n]),
      column("episode_index", "int64", [1n, 1n, 0n, 0n]),
      column("index", "int64", order.map(BigInt)),
      column("task_index", "int64", [0n, 0n, 0n, 0n]),
    ]);
    const items = await readAll({ root: folder.root });
    expect(items.map((item) => values(item, "action"))).toEqual([0, 1, 2, 3].map((i) => [i, -i]));
  });

  it("are read with every kind of numeric feature; texts stay in the metadata", async () => {
    await using folder = await writeDataset({
      episodes: [{ length: 3 }],
      features: {
        "observation.grid": {
          dtype: "float32",
          shape: [2, 3],
          value: (f) => [
            [f, 1, 2],
            [3, 4, f],
          ],
        },
        "observation.cube": { dtype: "int64", shape: [1, 2, 1], value: (f) => [[[BigInt(f)], [7n]]] },
        "observation.double": { dtype: "float64", shape: [2], value: (f) => [f + 0.1, 1 / 3] },
        "next.reward": { dtype: "float64", shape: [1], value: (f) => f / 3 },
        "next.done": { dtype: "bool", shape: [1], value: (f) => f === 2 },
        counter: { dtype: "int32", shape: [2], value: (f) => [f, -f] },
        note: { dtype: "string", shape: [1], value: (f) => `frame ${f}` },
      },
    });
    const item = (await readAll({ root: folder.root }))[2]!;
    expect(item.arrays["observation.grid"]).toEqual({
      dtype: "float32",
      shape: [2, 3],
      data: Float32Array.of(2, 1, 2, 3, 4, 2),
    });
    expect(item.arrays["observation.cube"]).toEqual({
      dtype: "int64",
      shape: [1, 2, 1],
      data: BigInt64Array.of(2n, 7n),
    });
    expect(item.arrays["observation.double"]).toEqual({
      dtype: "float32",
      shape: [2],
      data: Float32Array.of(2.1, 1 / 3),
    });
    expect(item.arrays["next.reward"]).toEqual({ dtype: "float32", shape: [], data: Float32Array.of(2 / 3) });
    expect(item.arrays["next.done"]).toEqual({ dtype: "bool", shape: [], data: Uint8Array.of(1) });
    expect(item.arrays.counter).toEqual({ dtype: "int64", shape: [2], data: BigInt64Array.of(2n, -2n) });
    expect(item.arrays.note).toBeUndefined();
  });

  it("may have a frame rate that is no whole number", async () => {
    await using folder = await writeDataset({ episodes: [{ length: 4 }], fps: 29.97 });
    await using dataset = await LeRobotDataset.open({ root: folder.root, chunkSize: 2 });
    expect(dataset.metadata.fps).toBe(29.97);
    expect(values(await dataset.item(3), "action_is_pad")).toEqual([0, 1]);
  });
});

describe("errors", () => {
  it("of options name each option", async () => {
    const error = await failure(
      LeRobotDataset.open({ root: ROOT, chunkSize: 0, toleranceS: -1, deltaTimestamps: { action: [0] } }),
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe(
      "LeRobotDataset.open: 3 problems\n" +
        "  - chunkSize: expected a whole number of at least 1, got 0\n" +
        "  - toleranceS: expected a number of seconds of at least 0, got -1\n" +
        "  - deltaTimestamps: expected either chunkSize or deltaTimestamps, got both",
    );
  });

  it("of episodes and items say what there is", async () => {
    expect((await failure(LeRobotDataset.open({ root: ROOT, episodes: [0, 10] }))).message).toBe(
      `${ROOT}: expected episodes among the dataset's 10, counted from 0, got 10`,
    );
    expect((await failure(LeRobotDataset.open({ root: ROOT, episodes: [] }))).message).toBe(
      `${ROOT}: expected at least one episode, got none`,
    );
    await using dataset = await LeRobotDataset.open({ root: ROOT });
    for (const index of [-1, 389, 1.5, Number.NaN]) {
      const error = await failure(dataset.item(index));
      expect(error).toBeInstanceOf(DatasetError);
      expect(error.message).toBe(`${ROOT}: expected an item index from 0 to 388, got ${index}`);
    }
  });

  it("after closing say so", async () => {
    const dataset = await LeRobotDataset.open({ root: ROOT });
    await dataset.item(0);
    await dataset.close();
    await dataset.close();
    expect((await failure(dataset.item(0))).message).toBe(`${ROOT}: expected an open dataset, got one that was closed`);
  });

  it("name the file if a data file is missing, shorter than the table says, or of another recording", async () => {
    await using folder = await writeDataset({ episodes: [{ length: 3 }, { length: 3, dataFile: 1 }] });
    const [first, second] = [0, 1].map((i) => join(folder.root, `data/chunk-000/file-00${i}.parquet`)) as [
      string,
      string,
    ];
    await using shorter = await writeDataset({ episodes: [{ length: 2 }] });
    await copyFile(join(shorter.root, "data/chunk-000/file-000.parquet"), first);
    await using dataset = await LeRobotDataset.open({ root: folder.root });
    expect((await failure(dataset.item(2))).message).toBe(
      `${first}: expected frame 2 of episode 0, got a file of 2 rows without it. ` +
        "The file is shorter than the episode table says or belongs to another recording",
    );
    await rm(second);
    expect((await failure(dataset.item(3))).message).toBe(`${second}: file not found`);
    await copyFile(first, second);
    expect((await failure(dataset.item(3))).message).toMatch(/expected frame 3 of episode 1, got a file of 2 rows/);
  });

  it("name the file and the column if a feature is missing, of another shape or holds gaps", async () => {
    await using folder = await writeDataset({ episodes: [{ length: 2 }] });
    const path = join(folder.root, "data/chunk-000/file-000.parquet");
    const rewrite = async (action: unknown[] | undefined): Promise<Error> => {
      const scalar = (name: string, dtype: string, rows: unknown[]): Column => ({ name, dtype, depth: 0, rows });
      const list = (name: string, rows: unknown[]): Column => ({ name, dtype: "float32", depth: 1, rows });
      await writeParquet(path, [
        list("observation.state", [
          [0, 0],
          [1, 1],
        ]),
        ...(action === undefined ? [] : [list("action", action)]),
        scalar("timestamp", "float32", [0, 0.1]),
        ...["frame_index", "index"].map((name) => scalar(name, "int64", [0n, 1n])),
        ...["episode_index", "task_index"].map((name) => scalar(name, "int64", [0n, 0n])),
      ]);
      return failure(readAll({ root: folder.root }));
    };
    expect((await rewrite(undefined)).message).toContain(
      `${path}: expected a column "action", got only "observation.state", `,
    );
    expect((await rewrite([[0, 0], [1]])).message).toBe(
      `${path}: expected action to be float32 [2] in row 1, got a list of 1`,
    );
    expect(
      (
        await rewrite([
          [0, 0],
          [1, null],
        ])
      ).message,
    ).toBe(`${path}: expected action to be float32 [2] in row 1, got a missing value`);
    expect((await rewrite([[0, 0], null])).message).toBe(
      `${path}: expected action to be float32 [2] in row 1, got a missing value`,
    );
    expect(
      (
        await rewrite([
          [0, 0, 0, 0],
          [1, 1, 1],
        ])
      ).message,
    ).toMatch(/column "action" \(7 values in 2 rows, expected at most 4\)/);
  });

  it("name the row if a task index has no task", async () => {
    await using folder = await writeDataset({ episodes: [{ length: 2, task: 3 }] });
    expect((await failure(readAll({ root: folder.root }))).message).toBe(
      `${join(folder.root, "data/chunk-000/file-000.parquet")}: expected a task_index from 0 to 0 in row 0, got 3`,
    );
  });

  it("name the camera if the episode table knows no video of it", async () => {
    await using folder = await writeDataset({ episodes: [{ length: 2 }], cameras: { "observation.image": "video" } });
    await using other = await writeDataset({ episodes: [{ length: 2 }] });
    const table = "meta/episodes/chunk-000/file-000.parquet";
    await copyFile(join(other.root, table), join(folder.root, table));
    expect((await failure(readAll({ root: folder.root }))).message).toBe(
      `${folder.root}: expected a video of observation.image for episode 0, got none in the episode table. ` +
        'Pass cameras: "skip" to read the dataset without cameras',
    );
    expect(await readAll({ root: folder.root, cameras: "skip" })).toHaveLength(2);
  });

  it("name file, episode, frame and times if a video has no frame at a time", async () => {
    const root = await mkdtemp(join(tmpdir(), "reflow-dataset-"));
    await cp(ROOT, root, { recursive: true });
    const [video, other] = ["top", "wrist"].map(
      (camera) => `videos/observation.images.${camera}/chunk-000/file-000.mp4`,
    );
    const path = join(root, video!);
    await using short = await writeDataset({ episodes: [{ length: 5 }], cameras: { "observation.image": "video" } });
    await copyFile(join(short.root, "videos/observation.image/chunk-000/file-000.mp4"), path);
    await using dataset = await LeRobotDataset.open({ root });
    expect((await failure(dataset.item(50))).message).toBe(
      `${path}: expected a frame at 5 s for episode 1, frame 6, got none nearer than 0.4 s, which is 4.6 s away ` +
        "(tolerance 0.0001 s). The video is shorter than the episode table says, or its frame rate differs from the dataset's",
    );
    await writeFile(join(root, other!), "");
    expect((await failure(dataset.item(0))).message).toMatch(
      /wrist.*expected a frame at 0 s for episode 0, frame 0, got an error/,
    );
    await rm(dirname(join(root, other!)), { recursive: true });
    expect((await failure(dataset.item(0))).message).toMatch(/wrist.*it cannot be opened as a video: No such file/);
    await rm(root, { recursive: true });
  });
});

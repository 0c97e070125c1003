import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HostArray } from "../../support/host-array.js";
import { LeRobotDataset } from "../index.js";
import { ParquetFile } from "../parquet-file.js";
import { compileForNode } from "../testing/compile-for-node.js";
import { picture, planarPicture } from "../testing/write-video.js";
import { DatasetWriter, type DatasetWriterOptions, type RecordedFrame } from "./index.js";

const [WIDTH, HEIGHT] = [48, 32];
const TOP = "observation.images.top";

let folder: string;
let root: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "reflow-writer-"));
  root = join(folder, "dataset");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const optionsFor = (camera: "video" | "image", others: Partial<DatasetWriterOptions> = {}): DatasetWriterOptions => ({
  root,
  fps: 10,
  robotType: "toy",
  features: {
    "observation.state": { dtype: "float32", shape: [3], names: ["a", "b", "c"] },
    action: { dtype: "float32", shape: [2] },
    count: { dtype: "int64", shape: [1] },
    [TOP]: { dtype: camera, shape: [HEIGHT, WIDTH, 3] },
  },
  ...others,
});

/** A picture that a video can hold: slow waves that move. */
function smoothPicture(frame: number): Uint8Array {
  const packed = new Uint8Array(3 * WIDTH * HEIGHT);
  for (let i = 0; i < packed.length; i++) {
    const [c, x, y] = [i % 3, Math.trunc(i / 3) % WIDTH, Math.trunc(i / (3 * WIDTH))];
    packed[i] = 128 + 60 * Math.sin((x + frame * 4) / 12 + c) + 50 * Math.cos(y / 9);
  }
  return packed;
}

function frameOf(i: number, data: Uint8Array = picture(i, WIDTH, HEIGHT), task = "push"): RecordedFrame {
  const image: HostArray = { dtype: "uint8", shape: [HEIGHT, WIDTH, 3], data: Uint8Array.from(data) };
  const arrays = {
    "observation.state": [i, -i, i / 7],
    action: Float32Array.of(i / 3, 1),
    count: [i * 5],
    [TOP]: image,
  };
  return { task, arrays };
}

/** Records episodes of these lengths; frames are counted over all of them. */
async function record(
  options: DatasetWriterOptions,
  lengths: readonly number[],
  pictureOf?: (frame: number) => Uint8Array,
): Promise<void> {
  await using writer = await DatasetWriter.create(options);
  let frame = 0;
  for (const [episode, length] of lengths.entries()) {
    for (let i = 0; i < length; i++, frame++) {
      await writer.addFrame(frameOf(frame, pictureOf?.(frame), episode % 2 === 0 ? "push" : "lift"));
    }
    await writer.saveEpisode();
  }
  await writer.finish();
}

const listing = async (path: string): Promise<string[]> =>
  (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();

describe("a recorded dataset", () => {
  it("of images is read back exactly, with its episodes, tasks and times", async () => {
    await record(optionsFor("image"), [4, 3, 5]);
    await using dataset = await LeRobotDataset.open({ root });
    expect(dataset.episodes.map(({ from, to }) => [from, to])).toEqual([
      [0, 4],
      [4, 7],
      [7, 12],
    ]);
    expect(dataset.metadata).toMatchObject({ fps: 10, robotType: "toy", tasks: ["push", "lift"] });
    for (let i = 0; i < 12; i++) {
      const { arrays, task } = await dataset.item(i);
      expect(task).toBe(i >= 4 && i < 7 ? "lift" : "push");
      expect(arrays[TOP]!.data).toEqual(planarPicture(i, WIDTH, HEIGHT));
      expect(arrays["observation.state"]!.data).toEqual(Float32Array.of(i, -i, i / 7));
      expect(arrays.count!.data).toEqual(BigInt64Array.of(BigInt(i * 5)));
      const inEpisode = i < 4 ? i : i < 7 ? i - 4 : i - 7;
      expect(arrays.timestamp!.data).toEqual(Float32Array.of(inEpisode / 10));
    }
  });

  it("of videos in several files is read back frame by frame, each close to what was recorded", async () => {
    const lengths = [5, 6, 1, 7];
    await record(optionsFor("video", { videoFilesSizeMb: 0.003, chunksSize: 2 }), lengths, smoothPicture);
    const videos = (await listing(root)).filter((path) => path.endsWith(".mp4"));
    expect(videos.length).toBeGreaterThan(1);
    expect(videos.length).toBeLessThan(lengths.length);
    await using dataset = await LeRobotDataset.open({ root });
    expect(dataset.numFrames).toBe(19);
    const differences = await Promise.all(
      Array.from({ length: 19 }, async (_, i) => {
        const decoded = (await dataset.item(i)).arrays[TOP]!.data as Uint8Array;
        const [given, plane] = [smoothPicture(i), WIDTH * HEIGHT];
        let sum = 0;
        for (let p = 0; p < given.length; p++)
          sum += Math.abs(given[p]! - decoded[(p % 3) * plane + Math.trunc(p / 3)]!);
        return sum / given.length;
      }),
    );
    // The next frame differs by about 12.
    expect(Math.max(...differences)).toBeLessThan(4);
  });

  it("begins a new data file before one grows beyond the cap, and a new folder after so many files", async () => {
    await record(optionsFor("image", { dataFilesSizeMb: 0.006, chunksSize: 2 }), [3, 3, 3, 3, 3, 3]);
    const files = (await listing(join(root, "data"))).filter((path) => path.endsWith(".parquet"));
    expect(files.slice(0, 3)).toEqual([
      "chunk-000/file-000.parquet",
      "chunk-000/file-001.parquet",
      "chunk-001/file-000.parquet",
    ]);
    await using dataset = await LeRobotDataset.open({ root });
    expect((await dataset.item(17)).arrays[TOP]!.data).toEqual(planarPicture(17, WIDTH, HEIGHT));
  });

  it("holds one row group per episode", async () => {
    await record(optionsFor("video"), [3, 4], smoothPicture);
    const file = await ParquetFile.open(join(root, "data/chunk-000/file-000.parquet"));
    expect(file.rowGroups.map(({ numRows }) => numRows)).toEqual([3, 4]);
  });

  it("lacks the frames of an episode that was discarded", async () => {
    await using writer = await DatasetWriter.create(optionsFor("video"));
    await writer.addFrame(frameOf(90, smoothPicture(90)));
    await writer.discardEpisode();
    await writer.addFrame(frameOf(1, smoothPicture(1)));
    await writer.saveEpisode();
    await writer.finish();
    await using dataset = await LeRobotDataset.open({ root });
    expect(dataset.numFrames).toBe(1);
    expect((await dataset.item(0)).arrays.count!.data).toEqual(BigInt64Array.of(5n));
  });

  it("takes cameras channel first as well", async () => {
    await using writer = await DatasetWriter.create(optionsFor("image"));
    const data = planarPicture(3, WIDTH, HEIGHT);
    const image: HostArray = { dtype: "uint8", shape: [3, HEIGHT, WIDTH], data: Uint8Array.from(data) };
    await writer.addFrame({ task: "push", arrays: { ...frameOf(3).arrays, [TOP]: image } });
    await writer.saveEpisode();
    await writer.finish();
    await using dataset = await LeRobotDataset.open({ root });
    expect((await dataset.item(0)).arrays[TOP]!.data).toEqual(data);
  });
});

describe("the dataset's place", () => {
  it("holds nothing until the dataset is finished, and nothing of a writer that was closed", async () => {
    const writer = await DatasetWriter.create(optionsFor("video"));
    await writer.addFrame(frameOf(0, smoothPicture(0)));
    await writer.saveEpisode();
    expect(existsSync(root)).toBe(false);
    await writer.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is refused if a dataset is there, unless it is to be replaced, and then holds the new one", async () => {
    await record(optionsFor("image"), [2]);
    await expect(DatasetWriter.create(optionsFor("image"))).rejects.toThrow(
      `${root}: expected no dataset there yet, got a dataset. Pass overwrite: true to replace it, or choose another root`,
    );
    await record(optionsFor("image", { overwrite: true }), [3]);
    await using dataset = await LeRobotDataset.open({ root });
    expect(dataset.numFrames).toBe(3);
    expect(await readdir(folder)).toEqual(["dataset"]);
  });

  it("is never replaced if it holds something else", async () => {
    await mkdir(root);
    await writeFile(join(root, "thesis.txt"), "mine");
    await expect(DatasetWriter.create(optionsFor("image", { overwrite: true }))).rejects.toThrow(
      `${root}: expected no dataset there yet, got a folder with other content. Choose another root: only datasets are ever replaced`,
    );
  });

  it("is refused while another writer records for it", async () => {
    await using _first = await DatasetWriter.create(optionsFor("image"));
    await expect(DatasetWriter.create(optionsFor("image"))).rejects.toThrow(
      /DatasetWriter\.create: process \d+ is already recording in/,
    );
  });
});

describe("another process", () => {
  /** A program that records one episode, says so, and waits or goes on with large frames. */
  const program = (compiled: string): string => `
    import { DatasetWriter } from ${JSON.stringify(join(compiled, "data/writer/index.js"))};
    const features = { action: { dtype: "float64", shape: [4000] } };
    const writer = await DatasetWriter.create({ root: process.argv[1], fps: 10, features });
    try {
      for (let i = 0; i < 40; i++) await writer.addFrame({ task: "t", arrays: { action: Array.from({ length: 4000 }, (_, k) => Math.sin(k * 40 + i)) } });
      await writer.saveEpisode();
      console.log("saved");
      if (process.argv[2] === "wait") setInterval(() => undefined, 1000);
      else await writer.finish();
    } catch (error) {
      console.log(error.name + ": " + error.message);
      await writer.close();
    }`;

  const output = async (child: ChildProcess): Promise<string> => {
    let text = "";
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    await once(child, "close");
    return text;
  };

  it("that is killed leaves no dataset, keeps others out while it lives, and is followed by the next writer", async () => {
    const { folder: compiled, remove } = await compileForNode();
    try {
      const child = spawn(process.execPath, ["--input-type=module", "-e", program(compiled), root, "wait"]);
      await once(child.stdout, "data");
      await expect(DatasetWriter.create(optionsFor("image"))).rejects.toThrow(
        `process ${child.pid} is already recording in`,
      );
      child.kill("SIGKILL");
      await once(child, "close");
      expect(existsSync(root)).toBe(false);
      await expect(LeRobotDataset.open({ root: join(folder, ".dataset.recording", "dataset") })).rejects.toThrow(
        "expected a LeRobot dataset folder",
      );
      await record(optionsFor("image"), [2]);
      expect(await readdir(folder)).toEqual(["dataset"]);
    } finally {
      await remove();
    }
  });

  it.skipIf(process.platform === "win32")("whose files may grow no more says so and leaves nothing", async () => {
    const { folder: compiled, remove } = await compileForNode();
    try {
      const arguments_ = [process.execPath, "--input-type=module", "-e", program(compiled), root];
      const text = await output(spawn("sh", ["-c", 'ulimit -f 64; exec "$@"', "sh", ...arguments_]));
      expect(text).toMatch(/^DatasetError: .*dataset: the dataset cannot be written \(EFBIG/);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await remove();
    }
  });
});

describe("bad input", () => {
  const refuse = (options: Partial<DatasetWriterOptions>): Promise<unknown> =>
    DatasetWriter.create(optionsFor("image", options)).then(
      async (writer) => writer.close(),
      (error: Error) => `${error.name} ${error.message}`,
    );

  it("in the options is refused with its place", async () => {
    expect(await refuse({ fps: 0 })).toBe(
      "ConfigError DatasetWriter.create at fps: expected a whole number of at least 1, got 0",
    );
    expect(await refuse({ fps: 29.97 })).toContain("at fps: expected a whole number");
    expect(await refuse({ dataFilesSizeMb: Number.NaN })).toContain(
      "at dataFilesSizeMb: expected a number above 0, got NaN",
    );
    expect(await refuse({ features: {} })).toContain("at features: expected at least one feature, got none");
    expect(await refuse({ features: { index: { dtype: "int64", shape: [1] } } })).toContain(
      "at features.index: expected another name",
    );
    expect(await refuse({ features: { "a/b": { dtype: "int64", shape: [1] } } })).toContain(
      'expected a name without "/"',
    );
    expect(await refuse({ features: { a: { dtype: "float32", shape: [2, 2] } } })).toContain(
      "at features.a: expected a shape [width], got [2, 2]",
    );
    expect(await refuse({ features: { a: { dtype: "video", shape: [16, 16, 3] } } })).toContain(
      "at least 32 for video, got [16, 16, 3]",
    );
    expect(await refuse({ features: { a: { dtype: "video", shape: [64, 64, 3] } }, useVideos: false })).toContain(
      "at useVideos: expected true, because a is a video",
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it("in a frame is refused with its place, and the episode goes on", async () => {
    await using writer = await DatasetWriter.create(optionsFor("image"));
    const { arrays } = frameOf(0);
    const add = (changes: Record<string, unknown>, task = "push"): Promise<string> =>
      writer.addFrame({ task, arrays: { ...arrays, ...changes } as RecordedFrame["arrays"] }).then(
        () => "accepted",
        (error: Error) => `${error.name} ${error.message}`,
      );
    const place = "DatasetError episode 0, frame 0";
    expect(await add({ action: [1, 2, 3] })).toBe(`${place} at action: expected shape [2], got [3]`);
    expect(await add({ "observation.state": [0, Number.NaN, 0] })).toBe(
      `${place} at observation.state: expected finite float32 numbers, got NaN at entry 1`,
    );
    expect(await add({ action: [1e39, 0] })).toContain("expected finite float32 numbers, got 1e+39");
    expect(await add({ count: [0.5] })).toContain("at count: expected whole numbers up to 2^53, got 0.5");
    expect(await add({ reward: [1] })).toContain("got the unknown feature reward");
    expect(await add({ action: undefined })).toBe(`${place} at action: expected a value, got none`);
    expect(await add({ [TOP]: { dtype: "uint8", shape: [2, 2, 3], data: new Uint8Array(12) } })).toContain(
      "expected shape [32, 48, 3] or [3, 32, 48], got [2, 2, 3]",
    );
    expect(await add({ [TOP]: { dtype: "float32", shape: [HEIGHT, WIDTH, 3], data: new Float32Array(12) } })).toContain(
      "expected uint8 [32, 48, 3] or [3, 32, 48], got float32",
    );
    expect(await add({}, " ")).toContain('expected a task in words, got " "');
    expect(await add({})).toBe("accepted");
    await writer.saveEpisode();
    expect(writer.numFrames).toBe(1);
  });

  it("in the order of calls is refused", async () => {
    const writer = await DatasetWriter.create(optionsFor("image"));
    await expect(writer.finish()).rejects.toThrow(`${root}: expected at least one saved episode, got none`);
    await expect(writer.saveEpisode()).rejects.toThrow(
      "episode 0: expected at least one frame, got none. Call addFrame first",
    );
    const adding = writer.addFrame(frameOf(0));
    await expect(writer.addFrame(frameOf(1))).rejects.toThrow(
      "expected an open writer, got a call while another one runs",
    );
    await adding;
    await expect(writer.finish()).rejects.toThrow(
      "got 1 frames that are not saved. Call saveEpisode or discardEpisode first",
    );
    await writer.close();
    await expect(writer.addFrame(frameOf(0))).rejects.toThrow("expected an open writer, got one that was closed");
  });
});

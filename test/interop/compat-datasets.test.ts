/** Datasets of images: what stock LeRobot writes and reads, item by item and bit by bit. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImageCell } from "../../src/data/image-cell.js";
import { type DatasetItem, LeRobotDataset, type LeRobotDatasetOptions } from "../../src/data/index.js";
import { bytesOf, type HostArray } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { runPythonScript } from "./python-env.mjs";

/** The chunk of actions in the script's items. */
const CHUNK_SIZE = 4;

interface Report {
  readonly selection: readonly number[] | null;
  readonly num_frames: number;
  readonly tasks: readonly string[];
}

let folder: string;
let reports: Readonly<Record<string, Report>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reflow-compat-"));
  reports = JSON.parse(await runPythonScript("compat_datasets.py", ["--output", folder]));
  await runPythonScript("compat_pictures.py", ["--output", join(folder, "pictures")]);
}, 600_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

async function itemsOf(options: Omit<LeRobotDatasetOptions, "chunkSize">): Promise<DatasetItem[]> {
  await using dataset = await LeRobotDataset.open({ ...options, chunkSize: CHUNK_SIZE });
  const items: DatasetItem[] = [];
  for await (const item of dataset) items.push(item);
  return items;
}

/** A frame as stock LeRobot delivers it. */
const asStock = (array: HostArray): HostArray =>
  array.dtype === "uint8"
    ? { ...array, dtype: "float32", data: Float32Array.from(array.data as Uint8Array, (value) => value / 255) }
    : array;

async function expectStockItems(name: string, items: readonly DatasetItem[]): Promise<void> {
  const { num_frames: numFrames, tasks } = reports[name]!;
  expect(items).toHaveLength(numFrames);
  expect(items.map(({ task }) => task)).toEqual(tasks);
  const expected = await readSafetensors(join(folder, name, "items.safetensors"));
  const keys = items.flatMap(({ arrays }, i) => Object.keys(arrays).map((key) => `${i}/${key}`));
  expect(keys.sort()).toEqual([...expected.keys()].sort());
  for (const [position, array] of expected) {
    const [index, key] = [Number.parseInt(position, 10), position.slice(position.indexOf("/") + 1)];
    const ours = asStock(items[index]!.arrays[key]!);
    expect([ours.dtype, ours.shape], position).toEqual([array.dtype, array.shape]);
    expect(Buffer.compare(bytesOf(ours), bytesOf(array)), position).toBe(0);
  }
}

describe("a dataset that stock LeRobot recorded", () => {
  it("without videos, of many files, gives its items for a few episodes in any order", async () => {
    const { selection } = reports.images!;
    const items = await itemsOf({ root: join(folder, "images", "dataset"), episodes: selection! });
    expect(items[0]!.arrays["observation.images.top"]).toMatchObject({ dtype: "uint8", shape: [1, 3, 20, 28] });
    await expectStockItems("images", items);
  });

  it("with one camera of images and one of video gives its items", async () => {
    await expectStockItems("mixed", await itemsOf({ root: join(folder, "mixed", "dataset") }));
  });

  it("without any camera gives its items", async () => {
    const items = await itemsOf({ root: join(folder, "no-camera", "dataset") });
    expect(Object.keys(items[0]!.arrays).filter((key) => key.includes("image"))).toEqual([]);
    await expectStockItems("no-camera", items);
  });
});

describe("the same frames in the v2.1 layout", () => {
  it("give the same items, whether images are embedded or named in any of three ways", async () => {
    const { selection } = reports.images!;
    await expectStockItems(
      "images",
      await itemsOf({ root: join(folder, "images", "dataset-v2.1"), episodes: selection! }),
    );
    const [all, again] = await Promise.all(
      ["dataset", "dataset-v2.1"].map((name) => itemsOf({ root: join(folder, "images", name) })),
    );
    const wrist = (items: readonly DatasetItem[]) =>
      Buffer.concat(items.map(({ arrays }) => bytesOf(arrays["observation.images.wrist"]!)));
    expect(Buffer.compare(wrist(all!), wrist(again!))).toBe(0);
  });
});

describe("pictures of every kind", () => {
  it("have the pixels that PIL gives when it converts them to RGB", async () => {
    const pixels = await readSafetensors(join(folder, "pictures", "pixels.safetensors"));
    expect(pixels.size).toBe(22);
    for (const [name, expected] of pixels) {
      const bytes = await readFile(join(folder, "pictures", name));
      const ours = await decodeImageCell({ bytes, path: null }, folder, name);
      expect(ours.shape, name).toEqual(expected.shape);
      expect(Buffer.compare(bytesOf(ours), bytesOf(expected)), name).toBe(0);
    }
  });

  it("are refused if they have no 8-bit red, green and blue or grey", async () => {
    const others = (await readdir(join(folder, "pictures"))).filter((name) => /^(deep|cmyk)/.test(name));
    expect(others).toHaveLength(2);
    for (const name of others) {
      const bytes = await readFile(join(folder, "pictures", name));
      await expect(decodeImageCell({ bytes, path: null }, folder, name)).rejects.toThrow(
        /cannot be decoded \(expected (8 bits per channel, got ushort|RGB or grey, got CMYK)\)/,
      );
    }
  });
});

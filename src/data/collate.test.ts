import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { DatasetError } from "../support/errors.js";
import { hostArray } from "../support/host-array.js";
import { readSafetensors } from "../support/safetensors.js";
import { collate } from "./collate.js";
import { type DatasetItem, LeRobotDataset } from "./lerobot-dataset.js";

const FIXTURES = join(import.meta.dirname, "../../test/fixtures/tiny-smolvla");

it("a batch equals that of stock LeRobot's data loader", async () => {
  await using dataset = await LeRobotDataset.open({ root: join(FIXTURES, "dataset-v3.0"), chunkSize: 10 });
  const { indices, task } = JSON.parse(await readFile(join(FIXTURES, "parity/raw_batch.json"), "utf8"));
  const batch = collate(await Promise.all((indices as number[]).map((i) => dataset.item(i))));
  const expected = await readSafetensors(join(FIXTURES, "parity/raw_batch.safetensors"));
  expect(Object.keys(batch.arrays).sort()).toEqual([...expected.keys()].sort());
  for (const [key, array] of expected) {
    const { dtype, shape, data } = batch.arrays[key]!;
    const comparable = dtype === "uint8" ? Float32Array.from(data as Uint8Array, (value) => value / 255) : data;
    expect({ shape, data: comparable }, key).toEqual({ shape: array.shape, data: array.data });
  }
  expect(batch.tasks).toEqual(task);
});

const item = (width: number, extra: DatasetItem["arrays"] = {}): DatasetItem => ({
  arrays: { action: hostArray("float32", [width], new Float32Array(width)), ...extra },
  task: "push",
});

it("items that differ are refused, naming the key and the item", () => {
  expect(() => collate([item(2), item(2), item(3)])).toThrow(
    new DatasetError('collate: expected "action" of item 2 to be float32 [2] as of item 0, got float32 [3]'),
  );
  const reward = { reward: hostArray("float32", [], Float32Array.of(1)) };
  expect(() => collate([item(2, reward), item(2)])).toThrow(
    new DatasetError('collate: expected "reward" of item 1 to be float32 [] as of item 0, got nothing'),
  );
  expect(() => collate([item(2), item(2, reward)])).toThrow(
    new DatasetError('collate: expected item 1 to have the keys of item 0, got also "reward"'),
  );
  expect(() => collate([])).toThrow(new DatasetError("collate: expected at least one item, got none"));
});

/** The same frames recorded by stock LeRobot and here: files, statistics, and what stock LeRobot reads from ours. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LeRobotDataset } from "../../src/data/index.js";
import { DatasetWriter, type FeatureDeclaration, type RecordedDType } from "../../src/data/writer/index.js";
import { bytesOf, type HostArray, hostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { runPythonScript } from "./python-env.mjs";

/** More than a hundred frames are sampled; a single frame has no spread. */
const LENGTHS = [600, 1, 8];
const NUM_FRAMES = 609;
const [IMAGE, VIDEO] = ["observation.images.image", "observation.images.video"];
const SIZES: Readonly<Record<string, readonly [number, number]>> = { [IMAGE]: [6, 310], [VIDEO]: [32, 48] };
const TASKS = ["push the block", "lift the cup"];
const CHUNK_SIZE = 4;

interface Files {
  readonly info: object;
  readonly stats: Readonly<Record<string, unknown>>;
  readonly episodes: readonly Readonly<Record<string, unknown>>[];
  readonly columns: object;
}

interface Report {
  readonly warnings: readonly string[];
  readonly tasks: readonly string[];
  readonly batch: Readonly<Record<string, readonly number[]>>;
  readonly datasets: { readonly stock: Files; readonly ours: Files };
}

const folder = mkdtempSync(join(tmpdir(), "reflow-dataset-writer-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ours = join(folder, "ours");
const output = join(folder, "items.safetensors");

/** Numbers that repeat, but not soon. */
const wave = (frame: number, i: number): number => Math.sin(frame * 0.37 + i * 1.7) * (i + 1) + i * 3;

const frames: Readonly<Record<string, HostArray>> = {
  "observation.state": hostArray(
    "float32",
    [NUM_FRAMES, 3],
    Float32Array.from({ length: 3 * NUM_FRAMES }, (_, k) => wave(Math.trunc(k / 3), k % 3)),
  ),
  action: hostArray(
    "float64",
    [NUM_FRAMES, 2],
    Float64Array.from({ length: 2 * NUM_FRAMES }, (_, k) => wave(Math.trunc(k / 2) + 4, k % 2)),
  ),
  counts: hostArray(
    "int64",
    [NUM_FRAMES, 2],
    BigInt64Array.from({ length: 2 * NUM_FRAMES }, (_, k) => BigInt((k * 7919) % 101)),
  ),
  ...Object.fromEntries(
    Object.entries(SIZES).map(([name, [height, width]]) => {
      const size = 3 * height * width;
      const data = Uint8Array.from({ length: NUM_FRAMES * size }, (_, k) => {
        const [frame, i] = [Math.trunc(k / size), k % size];
        return 120 + 100 * Math.sin(frame / 50 + (i % 3)) * Math.cos(i / 97);
      });
      return [name, hostArray("uint8", [NUM_FRAMES, height, width, 3], data)];
    }),
  ),
};
const episodeOf = (frame: number): number => (frame < 600 ? 0 : frame < 601 ? 1 : 2);
const taskOf = (frame: number): string => TASKS[episodeOf(frame) % 2]!;

const frameOf = (i: number): Record<string, HostArray> =>
  Object.fromEntries(
    Object.entries(frames).map(([name, { dtype, shape, data }]) => {
      const size = data.length / NUM_FRAMES;
      return [name, hostArray(dtype, shape.slice(1), data.slice(i * size, (i + 1) * size))];
    }),
  );

let report: Report;

beforeAll(async () => {
  const features = Object.fromEntries(
    Object.entries(frames).map(([name, { dtype, shape }]): [string, FeatureDeclaration] => {
      const kind = dtype !== "uint8" ? (dtype as RecordedDType) : name === VIDEO ? "video" : "image";
      return [name, { dtype: kind, shape: shape.slice(1) }];
    }),
  );
  await using writer = await DatasetWriter.create({ root: ours, fps: 10, robotType: "toy", features });
  for (let i = 0, end = 0, episode = 0; episode < LENGTHS.length; episode++) {
    for (end += LENGTHS[episode]!; i < end; i++) await writer.addFrame({ task: taskOf(i), arrays: frameOf(i) });
    await writer.saveEpisode();
  }
  await writer.finish();
  const file = join(folder, "frames.safetensors");
  await writeSafetensors(file, new Map(Object.entries(frames).map(([name, array]) => [name, sourceOf(array)])));
  const flags = {
    frames: file,
    names: JSON.stringify(Object.keys(frames)),
    lengths: JSON.stringify(LENGTHS),
    tasks: JSON.stringify(Array.from({ length: NUM_FRAMES }, (_, i) => taskOf(i))),
    stock: join(folder, "stock"),
    ours,
    output,
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  report = JSON.parse(await runPythonScript("dataset_writer.py", args)) as Report;
}, 300_000);

/** Fails where a number is not within the tolerance, relative to the larger of its size and 1, or anything else differs. */
function expectClose(actual: unknown, expected: unknown, where: string): void {
  if (typeof expected === "number") {
    expect(
      Math.abs((actual as number) - expected),
      `${where}: ${String(actual)} beside ${expected}`,
    ).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(expected)));
  } else if (typeof expected === "object" && expected !== null) {
    expect(Object.keys(actual as object).sort(), where).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) {
      expectClose((actual as Record<string, unknown>)[key], value, `${where}/${key}`);
    }
  } else expect(actual, where).toEqual(expected);
}

describe("the files", () => {
  it("describe the dataset as stock LeRobot's do", () => {
    expect(report.datasets.ours.info).toEqual(report.datasets.stock.info);
    expect(Object.keys(report.datasets.ours.info)).toEqual(Object.keys(report.datasets.stock.info));
  });

  it("have its columns, in its order and of its Arrow types, fixed lengths included", () => {
    expect(
      Object.entries(report.datasets.ours.columns).map(([name, columns]) => [name, Object.entries(columns)]),
    ).toEqual(Object.entries(report.datasets.stock.columns).map(([name, columns]) => [name, Object.entries(columns)]));
  });

  it("have its rows and statistics of every episode", () => {
    expectClose(report.datasets.ours.episodes, report.datasets.stock.episodes, "episodes");
  });

  it("have its statistics of the dataset", () => {
    expectClose(report.datasets.ours.stats, report.datasets.stock.stats, "stats");
  });
});

describe("stock LeRobot", () => {
  it("reads them without a warning, and the items that are read here, bit for bit", async () => {
    expect(report.warnings).toEqual([]);
    await using dataset = await LeRobotDataset.open({ root: ours, chunkSize: CHUNK_SIZE });
    const expected = await readSafetensors(output);
    expect(dataset.numFrames).toBe(NUM_FRAMES);
    const keys = new Set<string>();
    for (let i = 0; i < NUM_FRAMES; i++) {
      const { arrays, task } = await dataset.item(i);
      expect(task).toBe(report.tasks[i]);
      for (const [name, array] of Object.entries(arrays)) {
        const stock = expected.get(`${i}/${name}`)!;
        keys.add(`${i}/${name}`);
        const isCamera = name === IMAGE || name === VIDEO;
        const same = isCamera
          ? hostArray(
              "float32",
              array.shape,
              Float32Array.from(array.data as Uint8Array, (v) => v / 255),
            )
          : array;
        expect([same.dtype, same.shape], `${i}/${name}`).toEqual([stock.dtype, stock.shape]);
        expect(Buffer.compare(bytesOf(same), bytesOf(stock)), `${i}/${name}`).toBe(0);
      }
    }
    expect([...expected.keys()].filter((key) => !keys.has(key))).toEqual([]);
  });

  it("makes a training batch of them", () => {
    expect(report.batch).toMatchObject({
      "observation.state": [5, 1, 3],
      action: [5, CHUNK_SIZE, 2],
      [VIDEO]: [5, 3, 32, 48],
      action_is_pad: [5, CHUNK_SIZE],
    });
  });
});

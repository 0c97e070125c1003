import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DatasetError } from "../support/errors.js";
import type { HostData } from "../support/host-array.js";
import { createNodeAvBackend } from "./node-av-backend.js";
import { AV1, LOSSLESS, planarPicture, REORDERED, writeVideo } from "./testing/write-video.js";
import type { VideoBackend, VideoFile } from "./video-backend.js";
import { VideoReader } from "./video-reader.js";

const [FPS, NUM_FRAMES, WIDTH, HEIGHT] = [10, 40, 50, 34];
const SIZE = { fps: FPS, numFrames: NUM_FRAMES, width: WIDTH, height: HEIGHT };
const TOLERANCE_S = 1e-4;

let folder = "";
let backend: VideoBackend;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reflow-video-"));
  backend = await createNodeAvBackend();
  writeVideo(join(folder, "lossless.mp4"), SIZE, LOSSLESS);
  writeVideo(join(folder, "reordered.mp4"), SIZE, REORDERED);
  writeVideo(join(folder, "av1.mp4"), { ...SIZE, width: 65, height: 65 }, AV1);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (reader: VideoReader, name: string, ...frames: number[]) =>
  reader.readFrames(
    join(folder, name),
    frames.map((i) => i / FPS),
    TOLERANCE_S,
    (k) => `frame ${frames[k]}`,
  );
const hash = (data: HostData | Uint8Array): string =>
  createHash("sha1")
    .update(data as Uint8Array)
    .digest("hex");

describe("decoding", () => {
  it("gives back the pixels that were encoded, in any order of frames", () => {
    const reader = new VideoReader(backend);
    const orders = [0, 1, 7, 13, 27, 39].map((stride) =>
      Array.from({ length: NUM_FRAMES }, (_, i) => (i * stride + 3) % NUM_FRAMES),
    );
    for (const i of orders.flat()) {
      const [frame] = read(reader, "lossless.mp4", i);
      expect(frame?.shape).toEqual([3, HEIGHT, WIDTH]);
      expect(hash(frame!.data), `frame ${i}`).toBe(hash(planarPicture(i, WIDTH, HEIGHT)));
    }
    reader.close();
  });

  it("gives the frames of one call in the order they were asked for", () => {
    const reader = new VideoReader(backend);
    const frames = read(reader, "lossless.mp4", 5, 2, 5, 30, 3);
    expect(frames.map(({ data }) => hash(data))).toEqual(
      [5, 2, 5, 30, 3].map((i) => hash(planarPicture(i, WIDTH, HEIGHT))),
    );
    reader.close();
  });

  it.each(["reordered.mp4", "av1.mp4"])("finds the same frames of %s at random as in sequence", (name) => {
    const reader = new VideoReader(backend);
    const inSequence = Array.from({ length: NUM_FRAMES }, (_, i) => hash(read(reader, name, i)[0]!.data));
    expect(new Set(inSequence).size).toBe(NUM_FRAMES);
    for (let k = 0; k < 3 * NUM_FRAMES; k++) {
      const i = (k * k * 11 + k * 17) % NUM_FRAMES;
      expect(hash(read(reader, name, i)[0]!.data), `frame ${i}`).toBe(inSequence[i]);
    }
    reader.close();
  });

  it("takes the nearest frame within the tolerance, before or after", () => {
    const reader = new VideoReader(backend);
    const path = join(folder, "lossless.mp4");
    const at = (timeS: number) => hash(reader.readFrames(path, [timeS], 0.06, () => "x")[0]!.data);
    expect(at(0.14)).toBe(hash(planarPicture(1, WIDTH, HEIGHT)));
    expect(at(0.16)).toBe(hash(planarPicture(2, WIDTH, HEIGHT)));
    expect(at(-0.05)).toBe(hash(planarPicture(0, WIDTH, HEIGHT)));
    expect(at(3.95)).toBe(hash(planarPicture(39, WIDTH, HEIGHT)));
    expect(() => reader.readFrames(path, [0.14], 0.03, () => "episode 2, frame 1")).toThrow(
      new DatasetError(
        `${path}: expected a frame at 0.14 s for episode 2, frame 1, got none nearer than 0.1 s, which is 0.04 s away ` +
          "(tolerance 0.03 s). The video is shorter than the episode table says, or its frame rate differs from the dataset's",
      ),
    );
    reader.close();
  });

  it("does not hand out memory that the next frame overwrites", () => {
    const reader = new VideoReader(backend);
    const [first] = read(reader, "lossless.mp4", 0);
    read(reader, "lossless.mp4", 1);
    expect(first?.data).toEqual(planarPicture(0, WIDTH, HEIGHT));
    expect(first?.data.buffer.byteLength).toBe(3 * WIDTH * HEIGHT);
    reader.close();
  });
});

/** Counts what is open. */
class CountingBackend implements VideoBackend {
  numOpen = 0;
  readonly opened: string[] = [];
  open(path: string): VideoFile {
    const file = backend.open(path);
    this.numOpen++;
    this.opened.push(path);
    return {
      nearestFrame: (timeS) => file.nearestFrame(timeS),
      close: () => {
        this.numOpen--;
        file.close();
      },
    };
  }
}

describe("open files", () => {
  it("are bounded in number, kept while in use and all closed in the end", () => {
    const counting = new CountingBackend();
    const reader = new VideoReader(counting, { maxOpenFiles: 2 });
    for (let i = 0; i < 6; i++) {
      read(reader, "lossless.mp4", i);
      read(reader, i % 2 === 0 ? "av1.mp4" : "reordered.mp4", i);
      expect(counting.numOpen).toBeLessThanOrEqual(2);
    }
    expect(counting.opened.filter((path) => path.endsWith("lossless.mp4"))).toHaveLength(1);
    reader.close();
    expect(counting.numOpen).toBe(0);
    expect(() => read(reader, "av1.mp4", 0)).toThrow(/expected an open dataset, got one that was closed/);
  });

  it("that failed are opened anew, so a repaired file can be read", async () => {
    const path = join(folder, "repaired.mp4");
    await writeFile(path, "not a video");
    const reader = new VideoReader(backend);
    expect(() => read(reader, "repaired.mp4", 0)).toThrow(
      new DatasetError(
        `${path}: expected a frame at 0 s for frame 0, got an error (it cannot be opened as a video: Invalid data found when ` +
          "processing input). The file is missing, truncated or damaged",
      ),
    );
    writeVideo(path, SIZE);
    expect(read(reader, "repaired.mp4", 0)).toHaveLength(1);
    reader.close();
  });
});

describe("damaged files", () => {
  it("that are cut off give their first frames, and an error naming the frame for the rest", async () => {
    const path = join(folder, "cut.mp4");
    const bytes = await readFile(join(folder, "lossless.mp4"));
    await writeFile(path, bytes);
    await truncate(path, Math.floor(bytes.length * 0.6));
    const reader = new VideoReader(backend);
    expect(hash(read(reader, "cut.mp4", 1)[0]!.data)).toBe(hash(planarPicture(1, WIDTH, HEIGHT)));
    expect(() => read(reader, "cut.mp4", 38)).toThrow(/cut\.mp4: expected a frame at 3\.8 s for frame 38, got /);
    expect(hash(read(reader, "cut.mp4", 2)[0]!.data)).toBe(hash(planarPicture(2, WIDTH, HEIGHT)));
    reader.close();
  });

  it("with a video cut out of them are named", async () => {
    const path = join(folder, "hole.mp4");
    const bytes = await readFile(join(folder, "av1.mp4"));
    bytes.fill(0, bytes.indexOf("mdat") + 4);
    await writeFile(path, bytes);
    const reader = new VideoReader(backend);
    expect(() => read(reader, "hole.mp4", 20)).toThrow(
      /hole\.mp4: expected a frame at 2 s for frame 20, got an error \(it/,
    );
    reader.close();
  });
});

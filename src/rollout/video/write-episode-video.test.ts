import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createNodeAvBackend } from "../../data/index.js";
import { type Demonstration, demonstrate, makeEnvironment } from "../../env/index.js";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import type { RecordedEpisode } from "./episode-frames.js";
import { VIDEO_SIZE, writeEpisodeVideo } from "./write-episode-video.js";
import { writeVideo } from "./write-video.js";

const folder = mkdtempSync(join(tmpdir(), "reflow-video-"));
afterAll(() => rmSync(folder, { recursive: true }));
const SIZE = 96;

/** A demonstration as an episode of the world with the same options, up to a step. */
function recorded({ actions }: Demonstration, { seed = 3, numSteps = actions.length, success = true } = {}) {
  const world = makeEnvironment("avoiding");
  const taken = actions.slice(0, numSteps);
  const states = [world.reset(seed), ...taken.map((action) => world.step(action).observation)];
  return { seed, success, actions: taken, states: states.map(({ state }) => state.data as Float32Array) };
}

async function decoded(path: string): Promise<{ readonly images: HostArray[]; readonly times: number[] }> {
  const file = (await createNodeAvBackend()).open(path);
  const [images, times]: [HostArray[], number[]] = [[], []];
  try {
    for (;;) {
      const { image, timeS } = file.nearestFrame(images.length / 29);
      if (timeS === times.at(-1)) return { images, times };
      images.push(image);
      times.push(timeS);
    }
  } finally {
    file.close();
  }
}

const meanDifference = (a: HostArray, b: HostArray): number =>
  Array.from(a.data as Uint8Array).reduce((sum, value, i) => sum + Math.abs(value - Number(b.data[i])), 0) /
  a.data.length;

/** The colour of a pixel. */
const colourAt = ({ data, shape }: HostArray, x: number, y: number): number[] =>
  [0, 1, 2].map((channel) => Number(data[(channel * shape[1]! + y) * shape[2]! + x]));

const write = (file: string, episode: RecordedEpisode, size?: number): Promise<void> =>
  writeEpisodeVideo(join(folder, file), episode, makeEnvironment("avoiding"), size);

describe("writeEpisodeVideo", () => {
  it("shows the world at the reset and after each action, at its pace, then half a second of the end", async () => {
    const episode = recorded(demonstrate({ seed: 3 }));
    await write("deep/er/whole.mp4", episode, SIZE);
    const { images, times } = await decoded(join(folder, "deep/er/whole.mp4"));
    const numStates = episode.actions.length + 1;
    expect(images.length).toBe(numStates + 15);
    for (const [i, time] of times.entries()) expect(time).toBeCloseTo(i / 29, 3);
    const world = makeEnvironment("avoiding");
    world.reset(episode.seed);
    for (let i = 0; i < numStates; i++) {
      expect(images[i]!.shape).toEqual([3, SIZE, SIZE]);
      expect(meanDifference(images[i]!, world.render(SIZE))).toBeLessThan(3);
      if (i < episode.actions.length) world.step(episode.actions[i]!);
    }
    expect(readdirSync(join(folder, "deep/er"))).toEqual(["whole.mp4"]);
  });

  it.each([
    ["green", true, (red: number, green: number) => green - red],
    ["red", false, (red: number, green: number) => red - green],
  ])("ends in a %s border if success is %s, which no frame before has", async (colour, success, excess) => {
    await write(`${colour}.mp4`, recorded(demonstrate({ seed: 3 }), { numSteps: 20, success }), SIZE);
    const { images } = await decoded(join(folder, `${colour}.mp4`));
    for (const [i, image] of images.entries()) {
      for (const [x, y] of [
        [1, 48],
        [94, 48],
        [48, 1],
        [48, 94],
      ] as const) {
        const [red, green] = colourAt(image, x, y) as [number, number];
        if (i >= 21) expect(excess(red, green)).toBeGreaterThan(60);
        else expect(Math.abs(red - green)).toBeLessThan(15);
      }
      expect(Math.abs(colourAt(image, 6, 48)[0]! - colourAt(image, 6, 48)[1]!)).toBeLessThan(60);
    }
  });

  it("is 384 pixels wide unless it is told otherwise, and has its index before its pictures", async () => {
    await write("usual.mp4", recorded(demonstrate({ seed: 3 }), { numSteps: 2 }));
    expect((await decoded(join(folder, "usual.mp4"))).images[0]!.shape).toEqual([3, VIDEO_SIZE, VIDEO_SIZE]);
    const bytes = readFileSync(join(folder, "usual.mp4"));
    expect(bytes.indexOf("moov")).toBeGreaterThan(0);
    expect(bytes.indexOf("moov")).toBeLessThan(bytes.indexOf("mdat"));
  });

  it("refuses an episode of another world", async () => {
    const episode = recorded(demonstrate({ seed: 3 }));
    const other = makeEnvironment("avoiding", { tracking: 0.5 });
    const failed = writeEpisodeVideo(join(folder, "other.mp4"), episode, other, SIZE);
    await expect(failed).rejects.toThrow(ConfigError);
    await expect(failed).rejects.toThrow(
      "video: expected the world in which the episode of seed 3 took place, got avoiding-ts/1 in which it goes another way from step 2 on",
    );
    expect(readdirSync(folder).filter((name) => name.includes("other"))).toEqual([]);
  });

  it("refuses a size that cannot be drawn", async () => {
    const failed = write("large.mp4", recorded(demonstrate({ seed: 3 })), 5000);
    await expect(failed).rejects.toThrow("env avoiding: expected size to be a whole number from 16 to 4096, got 5000");
  });
});

describe("writeVideo", () => {
  const frame = (height: number, width: number): HostArray =>
    hostArray("uint8", [3, height, width], new Uint8Array(3 * height * width));

  it.each([
    ["no frame", [], "expected at least one frame, got none"],
    ["odd edges", [frame(32, 31)], "of one size with even edges, got uint8 [3, 32, 31]"],
    ["another size", [frame(32, 32), frame(32, 64)], "got uint8 [3, 32, 64] after [3, 32, 32]"],
    ["other numbers", [hostArray("float32", [3, 2, 2], new Float32Array(12))], "got float32 [3, 2, 2]"],
    ["no colours", [hostArray("uint8", [32, 32], new Uint8Array(1024))], "got uint8 [32, 32]"],
  ])("refuses %s and leaves nothing behind", async (_, frames, message) => {
    const failed = writeVideo(join(folder, "refused.mp4"), frames, 10);
    await expect(failed).rejects.toThrow(ShapeError);
    await expect(failed).rejects.toThrow(message);
    expect(readdirSync(folder).filter((name) => name.includes("refused"))).toEqual([]);
  });

  it("names the file that cannot be written", async () => {
    writeFileSync(join(folder, "a-file"), "");
    const failed = writeVideo(join(folder, "a-file", "video.mp4"), [frame(32, 32)], 10);
    await expect(failed).rejects.toThrow(ConfigError);
    await expect(failed).rejects.toThrow(
      /video: expected .*a-file\/video\.mp4 to be a place for a video, got an error/,
    );
  });

  it("keeps an older video until the new one is whole", async () => {
    const file = join(folder, "older.mp4");
    await writeVideo(file, [frame(32, 32)], 10);
    const before = readFileSync(file);
    await expect(writeVideo(file, [frame(32, 32), frame(2, 2)], 10)).rejects.toThrow(ShapeError);
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file)).toEqual(before);
  });
});

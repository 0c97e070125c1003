import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { BROWSER_VIDEO, DATASET_VIDEO, Mp4Encoder } from "./mp4-encoder.js";
import { isRealTime, restoreOrdinaryPriority } from "./ordinary-priority.js";
import { loadEncoder } from "./writer/load-encoder.js";

const folder = mkdtempSync(join(tmpdir(), "reflow-encoder-"));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ["datasets", DATASET_VIDEO],
  ["browsers", BROWSER_VIDEO],
])("encoding for %s leaves the priority of whoever asks for it as it was", async (name, recipe) => {
  const encoder = new Mp4Encoder(
    await loadEncoder(),
    join(folder, `${name}.mp4`),
    { width: 64, height: 64, fps: 10 },
    recipe,
  );
  expect(isRealTime()).toBe(false);
  encoder.add(new Uint8Array(3 * 64 * 64));
  encoder.finish();
  expect(isRealTime()).toBe(false);
});

it.runIf(spawnSync("chrt", ["--fifo", "1", "true"]).status === 0)("a real-time priority is seen and taken back", () => {
  spawnSync("chrt", ["--fifo", "--pid", "1", String(process.pid)]);
  expect(isRealTime()).toBe(true);
  restoreOrdinaryPriority();
  expect(isRealTime()).toBe(false);
});

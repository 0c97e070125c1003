/** Videos of episodes, as another program reads them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { demonstrate, makeEnvironment } from "../../src/env/index.js";
import { writeEpisodeVideo } from "../../src/rollout/index.js";
import { runPythonScript } from "./python-env.mjs";

const folder = mkdtempSync(join(tmpdir(), "reflow-rollout-video-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Video {
  readonly times: readonly number[];
  readonly first: readonly number[];
  readonly num_frames: number;
}

it("PyAV reads a video of an episode as H.264 in yuv420p, with a picture of each state at the world's rate", async () => {
  const { actions } = demonstrate({ seed: 4 });
  const world = makeEnvironment("avoiding");
  const states = [world.reset(4), ...actions.map((action) => world.step(action).observation)];
  const episode = { seed: 4, success: true, actions, states: states.map(({ state }) => state.data as Float32Array) };
  const video = join(folder, "video.mp4");
  await writeEpisodeVideo(video, episode, makeEnvironment("avoiding"));
  const read = JSON.parse(await runPythonScript("read_video.py", [video])) as Video;
  expect(read).toMatchObject({ codec: "h264", pixel_format: "yuv420p", width: 384, height: 384, rate: "29" });
  expect([read.num_frames, read.times.length]).toEqual([states.length + 15, states.length + 15]);
  for (const [i, time] of read.times.entries()) expect(time).toBeCloseTo(i / 29, 4);
  world.reset(4);
  const { data } = world.render(384);
  for (let channel = 0; channel < 3; channel++) {
    const plane = (data as Uint8Array).subarray(channel * 384 ** 2, (channel + 1) * 384 ** 2);
    const mean = plane.reduce((sum, value) => sum + value, 0) / plane.length;
    expect(Math.abs(read.first[channel]! - mean)).toBeLessThan(3);
  }
});

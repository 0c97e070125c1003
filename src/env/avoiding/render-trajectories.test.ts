import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { renderScene } from "./render-scene.js";
import { renderTrajectories } from "./render-trajectories.js";
import { type Point, START } from "./scene.js";
import { toPixels } from "./view.js";

const ACROSS: readonly Point[] = [
  [0.2, -0.2],
  [0.8, -0.2],
];

function pixelAt({ rgba, size }: { rgba: Uint8Array; size: number }, place: Point): number[] {
  const [column, row] = toPixels(place, size).map(Math.floor) as [number, number];
  return Array.from(rgba.subarray(4 * (row * size + column), 4 * (row * size + column) + 4));
}

describe("renderTrajectories", () => {
  it("draws nothing over the scene without trajectories, and leaves all of it opaque", () => {
    const size = 128;
    const { rgba } = renderTrajectories([], { size });
    const scene = renderScene(size, START).data;
    for (let i = 0; i < size * size; i++) {
      const expected = [scene[i], scene[i + size * size], scene[i + 2 * size * size], 255];
      if (expected.some((value, k) => rgba[4 * i + k] !== value)) expect.fail(`pixel ${i} differs`);
    }
  });

  it("draws lines in their colour where they pass, and nowhere else", () => {
    const options = { size: 300, opacity: 1 };
    const drawn = renderTrajectories([{ points: ACROSS, colour: "#00ff00" }], options);
    const plain = renderTrajectories([], options);
    const [x, row] = [0.6, Math.floor(toPixels([0, -0.2], 300)[1])];
    const changed = Array.from({ length: 300 }, (_, r) => r).filter((r) => {
      const at = 4 * (r * 300 + Math.floor(toPixels([x, 0], 300)[0]));
      return [0, 1, 2].some((k) => drawn.rgba[at + k] !== plain.rgba[at + k]);
    });
    expect(changed.length).toBeGreaterThan(0);
    for (const r of changed) expect(Math.abs(r - row)).toBeLessThanOrEqual(1);
    const thick = renderTrajectories([{ points: ACROSS, colour: "#00ff00" }], { size: 1200, opacity: 1 });
    expect(pixelAt(thick, [0.6, -0.2])).toEqual([0, 255, 0, 255]);
  });

  it("darkens where more ways lie over each other", () => {
    const red = (times: number): number =>
      pixelAt(
        renderTrajectories(Array(times).fill({ points: ACROSS, colour: "#000000" }), { size: 1200, opacity: 0.3 }),
        [0.6, -0.2],
      )[0]!;
    expect(red(1)).toBeLessThan(240);
    expect(red(3)).toBeLessThan(red(1) - 40);
  });

  it("leaves a dot for a single point", () => {
    const dot = renderTrajectories([{ points: [[0.7, -0.2]], colour: "#00ff00" }], { size: 1200, opacity: 1 });
    expect(pixelAt(dot, [0.7, -0.2])).toEqual([0, 255, 0, 255]);
  });

  it("gives the same pixels as a PNG file", async () => {
    const { png, rgba } = renderTrajectories([{ points: ACROSS }], { size: 96 });
    const { data, info } = await sharp(png).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([96, 96]);
    expect(Buffer.compare(data, Buffer.from(rgba))).toBe(0);
  });

  it("refuses what cannot be drawn, and says which trajectory it is", () => {
    expect(() => renderTrajectories([], { opacity: 0 })).toThrow(
      "env avoiding: expected opacity to be a number above 0 and at most 1, got 0",
    );
    expect(() => renderTrajectories([], { size: 3 })).toThrow(
      "env avoiding: expected size to be a whole number from 16 to 4096, got 3",
    );
    expect(() => renderTrajectories([{ points: ACROSS }, { points: ACROSS, colour: "red" }])).toThrow(
      'env avoiding, trajectory 1: expected a colour as #rrggbb, got "red"',
    );
    expect(() => renderTrajectories([{ points: [[0.5, Number.NaN]] }])).toThrow(
      "env avoiding, trajectory 0: expected points of two finite numbers, got [0.5, NaN]",
    );
  });
});

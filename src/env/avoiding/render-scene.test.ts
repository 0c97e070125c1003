import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { renderScene } from "./render-scene.js";
import { FINISH, OBSTACLES, type Point, START } from "./scene.js";
import { toPixels } from "./view.js";

const GROUND = [240, 240, 240];
const GREEN = [143, 209, 158];
const RED = [214, 39, 40];
const BLUE = [31, 58, 147];

/** the colour of the pixel that holds a place of the plane */
function colourAt(picture: ReturnType<typeof renderScene>, place: Point): number[] {
  const size = picture.shape[1]!;
  const [column, row] = toPixels(place, size).map(Math.floor) as [number, number];
  return [0, 1, 2].map((channel) => Number(picture.data[(channel * size + row) * size + column]));
}

describe("renderScene", () => {
  for (const size of [96, 224, 512]) {
    it(`shows ground, finish line, obstacles and rod at their places at ${size} pixels`, () => {
      const picture = renderScene(size, START);
      expect([picture.dtype, picture.shape, picture.data.length]).toEqual(["uint8", [3, size, size], 3 * size * size]);
      expect(colourAt(picture, START)).toEqual(BLUE);
      for (const { centre, radius } of OBSTACLES) {
        expect(colourAt(picture, centre)).toEqual(RED);
        for (const [dx, dy] of [
          [1, 0],
          [-1, 0],
          [0, 1],
          [0, -1],
        ] as const) {
          const away = (distance: number): Point => [centre[0] + dx * distance, centre[1] + dy * distance];
          expect(colourAt(picture, away(radius - 0.011))).toEqual(RED);
          expect(colourAt(picture, away(radius + 0.011))).toEqual(GROUND);
        }
      }
      for (const x of [0.13, 0.5, 0.87]) expect(colourAt(picture, [x, FINISH.y])).toEqual(GREEN);
      expect(colourAt(picture, [0.5, FINISH.y + 0.02])).toEqual(GROUND);
      expect(colourAt(picture, [0.5, FINISH.y - 0.02])).toEqual(GROUND);
    });
  }

  it("covers as much with a disc as its area says, by smoothed edges", () => {
    const size = 96;
    const { data } = renderScene(size, [0.2, -0.2]);
    const reds = Array.from(data.subarray(size * size, 2 * size * size) as Uint8Array).slice(30 * size, 75 * size);
    // Level 1 and 2 lie in these rows alone: green falls from 240 to 39 where an obstacle is.
    const covered = reds.reduce((sum, green) => sum + Math.max(0, 240 - green) / (240 - 39), 0);
    const pixelsPerMetre = size / 0.75;
    const expected = Math.PI * pixelsPerMetre ** 2 * (0.03 ** 2 + 2 * 0.025 ** 2);
    expect(Math.abs(covered / expected - 1)).toBeLessThan(0.03);
  });

  it("gives the same bytes for the same state, and other bytes a millimetre further", () => {
    const picture = renderScene(96, [0.412345, 0.0123]);
    expect(renderScene(96, [0.412345, 0.0123]).data).toEqual(picture.data);
    expect(renderScene(96, [0.413345, 0.0123]).data).not.toEqual(picture.data);
  });

  it("gives the bytes that were recorded, on every machine", () => {
    const digests = [96, 224, 512].map((size) =>
      createHash("sha256")
        .update(renderScene(size, [0.4321, 0.1234]).data as Uint8Array)
        .digest("hex")
        .slice(0, 16),
    );
    expect(digests).toEqual(["15f19d22b364842b", "25b148abbd033296", "fcb1fd3346ad9068"]);
  });

  it("leaves out a rod that is out of the picture, near or far", () => {
    const empty = renderScene(96, [-5, -5]);
    for (const place of [
      [1e30, 0],
      [0.5, -1e30],
      [0.1, 0.5],
    ] as const)
      expect(renderScene(96, place).data).toEqual(empty.data);
    expect(renderScene(96, [0.125, 0]).data).not.toEqual(empty.data);
  });

  it("gives a picture of its own each time, the same whatever was drawn before", () => {
    const first = renderScene(64, START);
    const bytes = first.data.slice();
    (first.data as Uint8Array).fill(0);
    renderScene(32, [0.3, 0.1]);
    renderScene(64, [0.3, 0.1]);
    expect(renderScene(64, START).data).toEqual(bytes);
  });
});

import { describe, expect, it } from "vitest";
import { principalPlane, project } from "./principal-plane.js";

const lengthOf = (axis: Float64Array): number => Math.hypot(...axis);

describe("principalPlane", () => {
  it("finds the directions of most scatter, the largest first, around the mean", () => {
    const points = Array.from({ length: 12 }, (_, i) => {
      const angle = (2 * Math.PI * i) / 12;
      // 5 along (1, 1, 0), 2 along (1, -1, 0), 0.1 up and down
      const [a, b] = [5 * Math.cos(angle), 2 * Math.sin(angle)];
      return [10 + (a + b) / Math.SQRT2, (a - b) / Math.SQRT2, i % 2 === 0 ? 0.1 : -0.1];
    });
    const plane = principalPlane(points);
    expect(Array.from(plane.centre)).toEqual([10, 0, 0].map((value) => expect.closeTo(value, 9)));
    const [first, second] = plane.axes.map((axis) => Array.from(axis, Math.abs));
    for (const axis of [first, second])
      expect(axis).toEqual([Math.SQRT1_2, Math.SQRT1_2, 0].map((v) => expect.closeTo(v, 6)));
    expect(plane.axes[0][0]! * plane.axes[1][0]! + plane.axes[0][1]! * plane.axes[1][1]!).toBeCloseTo(0, 6);
    expect(Math.hypot(...project(plane, [10, 0, 7]))).toBeCloseTo(0, 6);
  });

  it("has one axis for points on a line, and none for points that are all the same", () => {
    const line = principalPlane([
      [0, 0],
      [1, 2],
      [2, 4],
    ]);
    expect(lengthOf(line.axes[0])).toBeCloseTo(1, 12);
    expect(lengthOf(line.axes[1])).toBe(0);
    const same = principalPlane([
      [3, 3],
      [3, 3],
    ]);
    expect(same.axes.map(lengthOf)).toEqual([0, 0]);
    expect(project(same, [5, 5])).toEqual([0, 0]);
  });
});

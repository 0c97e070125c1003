import { expect, it } from "vitest";
import { smoothingWindow, trailingMeans } from "./trailing-means.js";

it("a trailing mean takes a value and those before it, as many as the window has or as there are", () => {
  expect(trailingMeans([4, 2, 6, 1], 2)).toEqual([4, 3, 4, 3.5]);
  expect(trailingMeans([4, 2, 6], 10)).toEqual([4, 3, 4]);
  expect(trailingMeans([], 3)).toEqual([]);
});

it("a curve is smoothed over a twentieth of its run, from 1 to 100 steps", () => {
  expect([1, 20, 21, 1000, 2000, 100_000].map(smoothingWindow)).toEqual([1, 1, 2, 50, 100, 100]);
});

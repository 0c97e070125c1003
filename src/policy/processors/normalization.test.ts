import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NormalizationMode } from "../../smolvla/config.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { neededStatistics, normalizeArray } from "./normalization.js";

const f32 = (shape: readonly number[], values: readonly number[]): HostArray =>
  hostArray("float32", shape, Float32Array.from(values));
const vector = (...values: number[]): HostArray => f32([values.length], values);
const STATS = new Map([
  ["mean", vector(1, -2)],
  ["std", vector(0.5, 0)],
  ["min", vector(-1, 3)],
  ["max", vector(3, 3)],
  ["q01", vector(0, 1)],
  ["q99", vector(2, 1)],
  ["q10", vector(-4, 0)],
  ["q90", vector(4, 8)],
]);
const apply = (mode: NormalizationMode, direction: "normalize" | "unnormalize", array: HostArray, statistics = STATS) =>
  normalizeArray(array, { feature: "observation.state", mode, direction, statistics, eps: 1e-8 });
const valuesOf = (array: HostArray): number[] => Array.from(array.data as Float32Array);

const EPS = Math.fround(1e-8);

describe("normalisation", () => {
  it.each([
    ["MEAN_STD", [2, -2], [2, 0]],
    ["MIN_MAX", [1, 3], [0, -1]],
    ["QUANTILES", [1.5, 1], [0.5, -1]],
    ["QUANTILE10", [2, 2], [0.5, -0.5]],
    ["IDENTITY", [2, -2], [2, -2]],
  ] as const)("follows its formula and goes back: %s", (mode, raw, normalised) => {
    const there = apply(mode, "normalize", vector(...raw));
    expect(valuesOf(there)).toEqual(normalised);
    expect(valuesOf(apply(mode, "unnormalize", there))).toEqual(raw);
  });

  it("puts eps where a spread is zero, on the way there only for MEAN_STD", () => {
    const [, meanStd] = valuesOf(apply("MEAN_STD", "normalize", vector(1, -1)));
    expect(meanStd).toBe(Math.fround(1 / EPS));
    expect(valuesOf(apply("MEAN_STD", "unnormalize", vector(0, 5)))).toEqual([1, -2]);
    const [, minMax] = valuesOf(apply("MIN_MAX", "normalize", vector(0, 4)));
    expect(minMax).toBe(Math.fround(Math.fround(2 / EPS) - 1));
    const [, quantile] = valuesOf(apply("QUANTILES", "unnormalize", vector(0, 1)));
    expect(quantile).toBe(Math.fround(1 + EPS));
  });

  it("rounds every operation to float32", () => {
    const stats = new Map([
      ["mean", vector(0.1)],
      ["std", vector(0.3)],
    ]);
    const { fround } = Math;
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 }), (x) => {
        const expected = fround(fround(x - fround(0.1)) / fround(fround(0.3) + EPS));
        expect(valuesOf(apply("MEAN_STD", "normalize", vector(x), stats))).toEqual([expected]);
      }),
    );
  });

  it("broadcasts per channel, per entry and from one value", () => {
    const image = f32([2, 2, 1, 2], [0, 1, 2, 3, 4, 5, 6, 7]);
    const perChannel = new Map([
      ["mean", f32([2, 1, 1], [0, 2])],
      ["std", f32([2, 1, 1], [1, 2])],
    ]);
    expect(valuesOf(apply("MEAN_STD", "unnormalize", image, perChannel))).toEqual([0, 1, 6, 8, 4, 5, 14, 16]);
    const chunk = f32([2, 2, 2], [0, 0, 1, 1, 2, 2, 3, 3]);
    expect(valuesOf(apply("MEAN_STD", "unnormalize", chunk))).toEqual([1, -2, 1.5, -2, 2, -2, 2.5, -2]);
    const single = new Map([
      ["mean", f32([], [1])],
      ["std", f32([1], [2])],
    ]);
    expect(valuesOf(apply("MEAN_STD", "unnormalize", vector(1, 2, 3), single))).toEqual([3, 5, 7]);
  });

  it("leaves its input alone", () => {
    const input = vector(3, 4);
    apply("MEAN_STD", "normalize", input);
    expect(valuesOf(input)).toEqual([3, 4]);
  });

  it("refuses statistics that are missing or do not fit", () => {
    const stats = new Map([["min", vector(0)]]);
    expect(() => apply("QUANTILES", "normalize", vector(0), stats)).toThrow(
      'statistics of "observation.state": expected q01 and q99 for QUANTILES, got only min. Compute the dataset\'s statistics again',
    );
    expect(() => apply("MEAN_STD", "normalize", vector(1, 2, 3))).toThrow(
      '"observation.state": expected a shape that fits statistics of shape [2], got [3]',
    );
  });

  it("knows what each mode needs", () => {
    expect(neededStatistics("IDENTITY")).toEqual([]);
    expect(neededStatistics("QUANTILE10")).toEqual(["q10", "q90"]);
  });
});

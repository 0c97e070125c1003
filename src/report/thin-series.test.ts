import { describe, expect, it } from "vitest";
import { thinSeries } from "./thin-series.js";

const points = (count: number, value: (step: number) => number) =>
  Array.from({ length: count }, (_, i) => [i + 1, value(i + 1)] as const);

describe("thinSeries", () => {
  it("keeps a short curve as it is", () => {
    expect(thinSeries(points(3, (step) => step / 2))).toEqual({
      steps: [1, 2, 3],
      values: [0.5, 1, 1.5],
      recordsPerPoint: 1,
      numNotFinite: 0,
    });
  });

  it("makes at most 600 means of a long one, ends at its last step and keeps a spike in the range", () => {
    const series = thinSeries(points(5001, (step) => (step === 2500 ? 99 : 1)));
    expect(series.recordsPerPoint).toBe(9);
    expect(series.steps).toHaveLength(Math.ceil(5001 / 9));
    expect(series.steps.at(-1)).toBe(5001);
    expect(Math.max(...(series.high as number[]))).toBe(99);
    expect(Math.max(...(series.values as number[]))).toBeCloseTo((99 + 8) / 9, 10);
    expect(Math.min(...(series.low as number[]))).toBe(1);
  });

  it("counts what is no finite number, and shows a gap only where there is nothing else", () => {
    expect(thinSeries(points(3, (step) => (step === 2 ? Number.NaN : 1)))).toMatchObject({
      values: [1, null, 1],
      numNotFinite: 1,
    });
    const long = thinSeries(points(1200, (step) => (step <= 2 || step === 5 ? Number.POSITIVE_INFINITY : 4)));
    expect(long.values.slice(0, 3)).toEqual([null, 4, 4]);
    expect(long.low!.slice(0, 2)).toEqual([null, 4]);
    expect(long.numNotFinite).toBe(3);
  });

  it("gives an empty curve for no points", () => {
    expect(thinSeries([])).toEqual({ steps: [], values: [], recordsPerPoint: 1, numNotFinite: 0 });
  });
});

import { describe, expect, it } from "vitest";
import { deviation, fitLine, mean, median, neighbourCorrelation, noiseScale } from "./robust-statistics.js";
import { normals } from "./testing/synthetic-run.js";

const drawn = (count: number, seed = 1): number[] => {
  const normal = normals(seed);
  return Array.from({ length: count }, normal);
};

describe("robust statistics", () => {
  it("of little or nothing are what they can be", () => {
    expect([mean([]), median([]), median([2]), median([3, 1]), deviation([5])]).toEqual([
      Number.NaN,
      Number.NaN,
      2,
      2,
      0,
    ]);
    expect(fitLine([7])).toEqual({ slope: 0, residuals: [0], explained: 0 });
    expect(neighbourCorrelation([0, 0])).toBe(0);
  });

  it("give a normal's standard deviation, whatever few wild values are among it", () => {
    const values = drawn(4000).map((value, i) => (i % 20 === 0 ? 1000 : 3 * value));
    expect(deviation(values)).toBeGreaterThan(2.8);
    expect(deviation(values)).toBeLessThan(3.5);
  });

  it("see the noise and not the course under it", () => {
    const series = drawn(4000).map((value, i) => 0.5 * value + 20 * Math.sin(i / 500));
    expect(noiseScale(series)).toBeGreaterThan(0.47);
    expect(noiseScale(series)).toBeLessThan(0.53);
  });

  it("find a line and how much of a series it explains", () => {
    const { slope, residuals, explained } = fitLine([1, 3, 5, 7]);
    expect([slope, explained]).toEqual([2, 1]);
    expect(residuals).toEqual([0, 0, 0, 0]);
    expect(Math.abs(fitLine(drawn(1000)).explained)).toBeLessThan(0.01);
  });

  it("tell alternation and waves from noise", () => {
    expect(neighbourCorrelation(Array.from({ length: 100 }, (_, i) => (-1) ** i))).toBeCloseTo(-0.99, 6);
    expect(neighbourCorrelation(Array.from({ length: 100 }, (_, i) => Math.sin(i / 5)))).toBeGreaterThan(0.9);
    expect(Math.abs(neighbourCorrelation(drawn(1000)))).toBeLessThan(0.1);
  });
});

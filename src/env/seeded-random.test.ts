import { describe, expect, it } from "vitest";
import { SeededRandom } from "./seeded-random.js";

const numbers = (count: number, draw: () => number): number[] => Array.from({ length: count }, draw);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("SeededRandom", () => {
  it("gives the same numbers for the same seed and labels, and others for others", () => {
    const first = (seed: number, ...labels: (string | number)[]): number[] => {
      const random = new SeededRandom(seed, ...labels);
      return numbers(5, () => random.uniform());
    };
    expect(first(1, "a")).toEqual(first(1, "a"));
    for (const other of [first(2, "a"), first(1, "b"), first(1, "a", 0)]) expect(other).not.toEqual(first(1, "a"));
  });

  it("draws standard normal numbers, also as the first ones of neighbouring seeds", () => {
    const one = new SeededRandom(7);
    const sequences = [
      numbers(20_000, () => one.normal()),
      Array.from({ length: 5000 }, (_, seed) => new SeededRandom(seed).normal()),
    ];
    for (const values of sequences) {
      const error = 1 / Math.sqrt(values.length);
      expect(Math.abs(mean(values))).toBeLessThan(4 * error);
      expect(Math.abs(mean(values.map((x) => x ** 2)) - 1)).toBeLessThan(4 * Math.SQRT2 * error);
      expect(Math.abs(mean(values.map((x) => x ** 4)) - 3)).toBeLessThan(4 * Math.sqrt(96) * error);
    }
  });

  it("draws every whole number below a count alike", () => {
    const random = new SeededRandom(3);
    const values = numbers(6000, () => random.integer(6));
    for (let i = 0; i < 6; i++) {
      expect(Math.abs(values.filter((value) => value === i).length - 1000)).toBeLessThan(4 * Math.sqrt(1000));
    }
    expect(values.every((value) => value >= 0 && value < 6)).toBe(true);
  });
});

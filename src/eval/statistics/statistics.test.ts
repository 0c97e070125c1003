import { describe, expect, it } from "vitest";
import { bootstrapInterval } from "./bootstrap-interval.js";
import { mcnemarTest } from "./mcnemar-test.js";
import { quantile } from "./quantile.js";
import { seededNumbers } from "./seeded-numbers.js";
import { wilsonInterval } from "./wilson-interval.js";

describe("the Wilson interval", () => {
  it("has the textbook's ends for 8 of 10", () => {
    const { value, low, high } = wilsonInterval(8, 10)!;
    expect([value, low, high].map((end) => end.toFixed(4))).toEqual(["0.8000", "0.4902", "0.9433"]);
  });

  it("has a width where nothing or everything succeeded, and mirrors successes and failures", () => {
    // the upper end at 0 of n is z^2 / (n + z^2)
    expect(wilsonInterval(0, 20)).toMatchObject({ value: 0, low: 0 });
    expect(wilsonInterval(0, 20)!.high).toBeCloseTo(3.841459 / 23.841459, 6);
    expect(wilsonInterval(20, 20)!.low).toBeCloseTo(1 - 3.841459 / 23.841459, 6);
    expect(wilsonInterval(20, 20)!.high).toBe(1);
  });

  it("is undefined without trials, and refuses more successes than trials", () => {
    expect(wilsonInterval(0, 0)).toBeUndefined();
    expect(() => wilsonInterval(3, 2)).toThrow(
      "eval.wilsonInterval: expected numSuccesses to be a whole number from 0 to 2, got 3",
    );
    expect(() => wilsonInterval(1, 2, 95)).toThrow(
      "eval.wilsonInterval: expected level to be above 0 and below 1, got 95",
    );
  });
});

describe("the paired test", () => {
  const episodes = (onlyFirst: number, onlySecond: number, both = 3, neither = 2): [boolean[], boolean[]] => {
    const of = (a: boolean, b: boolean, n: number): [boolean, boolean][] => Array.from({ length: n }, () => [a, b]);
    const all = [
      ...of(true, false, onlyFirst),
      ...of(false, true, onlySecond),
      ...of(true, true, both),
      ...of(false, false, neither),
    ];
    return [all.map(([a]) => a), all.map(([, b]) => b)];
  };

  it.each([
    [1, 9, 22 / 1024],
    [8, 3, 464 / 2048],
    [0, 6, 2 / 64],
    [5, 5, 1],
    [0, 0, 1],
  ])("of %d against %d has the exact binomial p = %d", (onlyFirst, onlySecond, expected) => {
    const test = mcnemarTest(...episodes(onlyFirst, onlySecond));
    expect(test.pValue).toBeCloseTo(expected, 12);
    expect(test).toMatchObject({ both: 3, neither: 2, onlyFirst, onlySecond });
    expect(test.difference).toBeCloseTo((onlySecond - onlyFirst) / (onlyFirst + onlySecond + 5), 12);
  });

  it("still has digits for thousands of episodes", () => {
    // normal approximation with continuity correction: 2 (1 - Phi(199 / sqrt(4200)))
    expect(mcnemarTest(...episodes(2000, 2200)).pValue).toBeCloseTo(0.00214, 4);
  });

  it("refuses other episodes, and has no difference without any", () => {
    expect(() => mcnemarTest([true], [])).toThrow("eval.mcnemarTest: expected the same episodes of both, got 1 and 0");
    expect(mcnemarTest([], [])).toMatchObject({ difference: undefined, pValue: 1 });
  });
});

describe("the bootstrap", () => {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

  it("gives a mean of normal numbers the width of 1.96 standard errors", () => {
    const random = seededNumbers("test", 3);
    const values = Array.from({ length: 400 }, random.normal);
    const { value, low, high } = bootstrapInterval(values, mean, { seed: 1, numResamples: 4000 })!;
    expect(value).toBe(mean(values));
    const error = Math.sqrt(mean(values.map((x) => (x - value) ** 2)) / 400);
    expect((high - low) / (2 * 1.96 * error)).toBeCloseTo(1, 1);
    expect([low, high].map((end) => Math.abs(end - value) / (1.96 * error)).every((r) => r > 0.9 && r < 1.1)).toBe(
      true,
    );
  });

  it("depends on its seed alone", () => {
    const of = (seed: number) => bootstrapInterval([1, 2, 3, 5, 9], mean, { seed });
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
  });

  it("leaves out resamples without a value, and is undefined without a value at all", () => {
    const share = (values: readonly number[]) => (mean(values) === 0 ? undefined : 1 / mean(values));
    expect(bootstrapInterval([0, 1], share, { seed: 0 })).toEqual({ value: 2, low: 1, high: 2 });
    expect(bootstrapInterval([0, 0], share, { seed: 0 })).toBeUndefined();
  });

  it.each([
    [[], { seed: 0 }, "expected at least one observation, got none"],
    [[1], { seed: 0, numResamples: 10 }, "expected numResamples to be a whole number of at least 100, got 10"],
    [[1], { seed: -1 }, "expected seed to be a whole number of at least 0, got -1"],
  ])("of %j with %j is refused", (values, options, message) => {
    expect(() => bootstrapInterval(values, mean, options)).toThrow(`eval.bootstrapInterval: ${message}`);
  });
});

describe("a quantile", () => {
  it("is interpolated between neighbours, in any order of the values", () => {
    expect([0, 0.25, 0.5, 0.75, 1].map((share) => quantile([4, 1, 3, 2], share))).toEqual([1, 1.75, 2.5, 3.25, 4]);
    expect(quantile([7], 0.3)).toBe(7);
  });

  it("refuses nothing, shares beyond 1 and what is no number", () => {
    expect(() => quantile([], 0.5)).toThrow("eval.quantile: expected at least one value, got none");
    expect(() => quantile([1], 2)).toThrow("eval.quantile: expected share to be from 0 to 1, got 2");
    expect(() => quantile([Number.NaN], 0)).toThrow("expected finite numbers in values, got NaN at entry 0");
  });
});

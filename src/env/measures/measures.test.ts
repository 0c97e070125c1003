import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../seeded-random.js";
import { countModes } from "./count-modes.js";
import { modeDistance } from "./mode-distance.js";
import { entropyCeiling, modeEntropy } from "./mode-entropy.js";

const repeated = (count: number, value: number): number[] => Array.from({ length: count }, () => value);

/** counts of draws from equally likely modes */
function drawCounts(random: SeededRandom, numDraws: number, numModes: number): number[] {
  const counts = repeated(numModes, 0);
  for (let i = 0; i < numDraws; i++) counts[random.integer(numModes)]! += 1;
  return counts;
}

describe("countModes", () => {
  it("counts successful episodes by their mode, and those apart whose mode is none of the list", () => {
    const episodes = [
      { success: true, mode: "b" },
      { success: true, mode: "b" },
      { success: false, mode: "a" },
      { success: true, mode: "half" },
      { success: true, mode: "c" },
    ];
    expect(countModes(episodes, ["a", "b", "c"])).toEqual({ counts: [0, 2, 1], numCounted: 3, numUndecided: 1 });
  });

  it("refuses a world without modes", () => {
    expect(() => countModes([], ["only"])).toThrow("env.countModes: expected at least 2 modes, got 1");
  });
});

describe("modeEntropy", () => {
  it("is 1 for equal counts, 0 for a single mode, and ln j / ln K for j equal ones", () => {
    expect(modeEntropy(repeated(24, 4)).entropy).toBeCloseTo(1, 12);
    expect(modeEntropy([9, ...repeated(23, 0)]).entropy).toBe(0);
    expect(modeEntropy([...repeated(6, 5), ...repeated(18, 0)]).entropy).toBeCloseTo(Math.log(6) / Math.log(24), 12);
    expect(modeEntropy([1, 3]).entropy).toBeCloseTo((0.25 * Math.log(4) + 0.75 * Math.log(4 / 3)) / Math.log(2), 12);
  });

  it("is corrected by the number of modes that were seen, not of all there are", () => {
    const expected = (Math.log(6) + 5 / (2 * 30)) / Math.log(24);
    expect(modeEntropy([...repeated(6, 5), ...repeated(18, 0)]).corrected).toBeCloseTo(expected, 12);
    expect(modeEntropy([9, ...repeated(23, 0)]).corrected).toBe(0);
  });

  it("is undefined, not 0, without a successful episode", () => {
    expect(modeEntropy(repeated(24, 0))).toEqual({
      numCounted: 0,
      entropy: undefined,
      corrected: undefined,
      ceiling: undefined,
    });
  });

  it("does not depend on the order of modes", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 2, maxLength: 24 }), (counts) => {
        const [one, other] = [modeEntropy(counts), modeEntropy([...counts].reverse())];
        expect(one.numCounted).toBe(other.numCounted);
        if (one.entropy !== undefined) expect(one.entropy).toBeCloseTo(other.entropy!, 12);
      }),
    );
  });

  it("is too low on average for few episodes; its ceiling says by how much, and its correction undoes it", () => {
    const random = new SeededRandom(1);
    for (const numDraws of [20, 100, 480]) {
      const drawn = Array.from({ length: 1000 }, () => modeEntropy(drawCounts(random, numDraws, 24)));
      const average = (pick: "entropy" | "corrected"): number =>
        drawn.reduce((sum, measure) => sum + measure[pick]!, 0) / drawn.length;
      expect(Math.abs(average("entropy") - drawn[0]!.ceiling!)).toBeLessThan(0.003);
      if (numDraws >= 100) expect(Math.abs(average("corrected") - 1)).toBeLessThan(0.005);
    }
  });

  it("refuses counts that are none", () => {
    expect(() => modeEntropy([1, -1])).toThrow(
      "env.modeEntropy: expected counts to be whole numbers of at least 0, got -1",
    );
    expect(() => modeEntropy([1, 0.5])).toThrow("got 0.5");
    expect(() => modeEntropy([3])).toThrow("env.modeEntropy: expected counts of at least 2 modes, got 1");
  });
});

describe("entropyCeiling", () => {
  it("is exact for the smallest numbers", () => {
    expect(entropyCeiling(1, 24)).toBeCloseTo(0, 12);
    // Two draws differ with probability 23/24, and then have ln 2.
    expect(entropyCeiling(2, 24)).toBeCloseTo(((23 / 24) * Math.log(2)) / Math.log(24), 12);
    expect(entropyCeiling(2, 2)).toBeCloseTo(0.5, 12);
  });

  it("approaches 1 - (K - 1) / (2 n ln K)", () => {
    for (const [n, K] of [
      [480, 24],
      [10_000, 24],
      [100_000, 3],
    ] as const) {
      const deficit = (K - 1) / (2 * n * Math.log(K));
      expect(Math.abs((1 - entropyCeiling(n, K)) / deficit - 1)).toBeLessThan(0.03);
    }
    expect(entropyCeiling(480, 24)).toBeCloseTo(0.9924, 4);
    expect(entropyCeiling(100, 24)).toBeCloseTo(0.9616, 4);
  });

  it("refuses numbers that count nothing", () => {
    expect(() => entropyCeiling(0, 24)).toThrow(
      "env.entropyCeiling: expected a whole number of at least 1 episode and of at least 2 modes, got 0 and 24",
    );
    expect(() => entropyCeiling(10, 1)).toThrow("got 10 and 1");
  });
});

describe("modeDistance", () => {
  it("is half the sum of differences of shares, whatever the numbers of episodes", () => {
    expect(modeDistance([1, 1, 0, 0], [0, 10, 10, 0])!.totalVariation).toBeCloseTo(0.5, 12);
    expect(modeDistance([3, 0], [0, 7])!.totalVariation).toBe(1);
    expect(modeDistance([2, 4, 6], [1, 2, 3])!.totalVariation).toBeCloseTo(0, 12);
  });

  it("sees an exchange of modes that entropy does not", () => {
    const [counts, exchanged] = [
      [8, 2, 2],
      [2, 8, 2],
    ];
    expect(modeEntropy(counts).entropy).toBeCloseTo(modeEntropy(exchanged).entropy!, 12);
    expect(modeDistance(counts, exchanged)!.totalVariation).toBeCloseTo(0.5, 12);
  });

  it("says how large it is by chance alone", () => {
    const random = new SeededRandom(2);
    const drawn = Array.from(
      { length: 500 },
      () => modeDistance(drawCounts(random, 480, 24), drawCounts(random, 240, 24))!,
    );
    const average = (pick: "totalVariation" | "byChance"): number =>
      drawn.reduce((sum, measure) => sum + measure[pick], 0) / drawn.length;
    expect(Math.abs(average("byChance") / average("totalVariation") - 1)).toBeLessThan(0.03);
  });

  it("is undefined if either histogram is empty, and refuses histograms of different modes", () => {
    expect(modeDistance([0, 0], [1, 1])).toBeUndefined();
    expect(modeDistance([1, 1], [0, 0])).toBeUndefined();
    expect(() => modeDistance([1, 1], [1, 1, 1])).toThrow(
      "env.modeDistance: expected counts of the same modes, got 2 and 3",
    );
  });
});

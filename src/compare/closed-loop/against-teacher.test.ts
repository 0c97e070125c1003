import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../env/seeded-random.js";
import { mcnemarTest } from "../../eval/index.js";
import { drivenRow } from "../testing/small-comparison.js";
import { againstTeacher } from "./against-teacher.js";
import { pairedDifference } from "./paired-difference.js";

describe("a row against the teacher's", () => {
  it("counts who succeeded in which episode", () => {
    const against = againstTeacher(drivenRow("student", 1, "l.lr."), drivenRow("teacher", 10, "ll.l."), 0)!;
    expect(against).toMatchObject({ both: 2, neither: 1, onlyFirst: 1, onlySecond: 1, difference: 0, pValue: 1 });
    expect(against.sameMode).toBe(0.5); // of the first and the fourth episode
  });

  it("is about the episodes that both have", () => {
    const teacher = drivenRow("teacher", 10, "lrlr....");
    const against = againstTeacher(drivenRow("student", 1, "lrlr", "partial"), teacher, 0)!;
    expect(against).toMatchObject({ both: 4, neither: 0, difference: 0, entropyShare: 1, sameMode: 1 });
    expect(againstTeacher(drivenRow("student", 1, "", "partial"), teacher, 0)).toBeUndefined();
  });

  it("sees ways that were exchanged, which entropy does not", () => {
    const teacher = drivenRow("teacher", 10, "lllr".repeat(10));
    const against = againstTeacher(drivenRow("student", 1, "rrrl".repeat(10)), teacher, 0)!;
    expect(against.entropyShare).toBeCloseTo(1, 12);
    expect(against.modeDistance!.totalVariation).toBeCloseTo(0.5, 12);
    expect(against.modeDistance!.byChance).toBeLessThan(0.2);
    expect(against.sameMode).toBe(0);
  });

  it("has no entropy without successes, and no interval of it from few episodes", () => {
    const failed = againstTeacher(drivenRow("student", 1, "...."), drivenRow("teacher", 10, "lrlr"), 0)!;
    expect([failed.entropyShare, failed.modeDistance, failed.sameMode]).toEqual([undefined, undefined, undefined]);
    const few = againstTeacher(drivenRow("student", 1, "lrlr"), drivenRow("teacher", 10, "lrlr"), 0)!;
    expect([few.entropyShare, few.entropyShareInterval]).toEqual([1, undefined]);
    const more = againstTeacher(
      drivenRow("student", 1, "lr".repeat(20)),
      drivenRow("teacher", 10, "lr".repeat(20)),
      0,
    )!;
    expect(more.entropyShareInterval).toMatchObject({ value: 1, low: 1, high: 1 });
  });
});

describe("the interval of a paired difference", () => {
  const ofCounts = (both: number, neither: number, onlyFirst: number, onlySecond: number) => {
    const [first, second] = [
      [...Array(both + onlyFirst).fill(true), ...Array(neither + onlySecond).fill(false)],
      [
        ...[...Array(both).fill(true), ...Array(onlyFirst).fill(false)],
        ...[...Array(onlySecond).fill(true), ...Array(neither).fill(false)],
      ],
    ];
    return pairedDifference(mcnemarTest(first!, second!));
  };

  it("has a width where the two never differed, which shrinks with the number of episodes", () => {
    const widths = [3, 30, 300, 3000].map((n) => {
      const { value, low, high } = ofCounts(n, 0, 0, 0)!;
      expect(value).toBe(0);
      return high - low;
    });
    expect(widths[0]).toBeGreaterThan(0.7);
    expect(widths).toEqual([...widths].sort((a, b) => b - a));
    expect(widths[3]).toBeLessThan(0.004);
  });

  it("turns round if the two change places", () => {
    const [one, other] = [ofCounts(40, 5, 12, 3)!, ofCounts(40, 5, 3, 12)!];
    expect(one.low).toBeCloseTo(-other.high, 12);
    expect(one.high).toBeCloseTo(-other.low, 12);
  });

  it("is undefined for no episodes", () => {
    expect(pairedDifference(mcnemarTest([], []))).toBeUndefined();
  });

  it.each([
    [50, [0.6, 0.2, 0.15, 0.05]],
    [100, [0.85, 0.05, 0.06, 0.04]],
    [200, [0.3, 0.4, 0.1, 0.2]],
  ] as const)("holds the true difference in at least 93 of 100 repetitions: %s episodes", (n, shares) => {
    const random = new SeededRandom(n);
    const repetitions = 2000;
    const truth = shares[3] - shares[2];
    let numHeld = 0;
    for (let i = 0; i < repetitions; i++) {
      const counts = [0, 0, 0, 0];
      for (let episode = 0; episode < n; episode++) {
        const drawn = random.integer(1000) / 1000;
        const kind = [0, 1, 2].find((k) => drawn < shares.slice(0, k + 1).reduce((sum, share) => sum + share, 0)) ?? 3;
        counts[kind]! += 1;
      }
      const { low, high } = ofCounts(...(counts as [number, number, number, number]))!;
      if (low <= truth && truth <= high) numHeld += 1;
    }
    expect(numHeld / repetitions).toBeGreaterThan(0.93);
    expect(numHeld / repetitions).toBeLessThan(0.995);
  });
});

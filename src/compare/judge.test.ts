import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judge } from "./judge.js";
import { drivenRow, sampledRow, smallComparison } from "./testing/small-comparison.js";

const of = (measure: string, comparison: Parameters<typeof judge>[0]) =>
  judge(comparison).filter((verdict) => verdict.measure === measure);

const sampled = (teacher: number, student: number, beyondHigh?: number) =>
  smallComparison(
    { teacher: "l", student: "l" },
    {
      closedLoop: undefined,
      offline: {
        rows: [sampledRow("teacher", 10, teacher), sampledRow("student", 1, student, beyondHigh)],
        flows: [],
        otherNoise: { relativeError: 1, noiseExplained: -1, spreadRatio: 1 },
      },
    },
  );

describe("judge", () => {
  it("asks for a success rate of at least the teacher's less the margin", () => {
    const teacher = "l".repeat(90) + ".".repeat(10);
    const verdictOf = (numSuccesses: number) =>
      of(
        "success",
        smallComparison({ teacher, student: "l".repeat(numSuccesses) + ".".repeat(100 - numSuccesses) }),
      )[0]!;
    expect(verdictOf(88)).toMatchObject({ policy: "student", numSteps: 1, value: 0.88, isMet: true });
    expect(verdictOf(88).bound).toBeCloseTo(0.88, 12);
    expect(verdictOf(87).isMet).toBe(false);
  });

  it("is certain of success only where the interval of the difference keeps the margin, and never after few episodes", () => {
    const verdictOf = (numEpisodes: number) => {
      const all = "l".repeat(numEpisodes);
      return of("success", smallComparison({ teacher: all, student: all }))[0]!;
    };
    expect(verdictOf(3)).toMatchObject({ isMet: true, isCertain: false });
    expect(verdictOf(100)).toMatchObject({ isMet: true, isCertain: false });
    expect(verdictOf(1000)).toMatchObject({ isMet: true, isCertain: true });
  });

  it("takes a success that leapt over the obstacles for none, also to be certain", () => {
    const teacher = "l".repeat(1000);
    const verdictOf = (student: string) => of("success", smallComparison({ teacher, student }))[0]!;
    expect(verdictOf("?".repeat(1000))).toMatchObject({ value: 0, isMet: false, isCertain: false });
    const few = verdictOf(`${"l".repeat(981)}${"?".repeat(19)}`);
    expect(few).toMatchObject({ value: 0.981, isMet: true, isCertain: false });
    expect(judge(smallComparison({ teacher: "????", student: "llll" }))).toEqual([]);
  });

  it("asks for a share of the teacher's entropy", () => {
    const teacher = "lr".repeat(50);
    const [same] = of("entropyShare", smallComparison({ teacher, student: "rl".repeat(50) }));
    expect(same).toMatchObject({ bound: 0.95, isMet: true });
    expect(same!.value).toBeCloseTo(1, 12);
    const [poor] = of("entropyShare", smallComparison({ teacher, student: `${"l".repeat(90)}${"r".repeat(10)}` }));
    expect(poor).toMatchObject({ isMet: false, isCertain: false });
  });

  it("says nothing of success and entropy if the teacher does not succeed or has no variety", () => {
    expect(judge(smallComparison({ teacher: "....", student: "lr.." }))).toEqual([]);
    expect(of("entropyShare", smallComparison({ teacher: "llll", student: "lrlr" }))).toEqual([]);
  });

  it("says nothing of rows that are not complete, and nothing before the teacher's is", () => {
    const { closedLoop, ...rest } = smallComparison({ teacher: "lrlr", student: "lrlr" });
    const [reference, own] = closedLoop!.rows;
    expect(judge({ ...rest, closedLoop: { rows: [reference!, { ...own!, status: "partial" }] } })).toEqual([]);
    expect(judge({ ...rest, closedLoop: { rows: [drivenRow("teacher", 10, "lr", "partial"), own!] } })).toEqual([]);
    expect(judge({ ...rest, closedLoop: { rows: [own!] } })).toEqual([]);
  });

  it("allows samples between modes up to the deployed teacher's share and the margin", () => {
    expect(of("betweenModes", sampled(0.01, 0.03, 0.02))).toEqual([
      {
        policy: "student",
        numSteps: 1,
        measure: "betweenModes",
        value: 0.03,
        bound: 0.03,
        isMet: true,
        isCertain: true,
      },
    ]);
    expect(of("betweenModes", sampled(0.01, 0.03, 0.021))[0]).toMatchObject({ isMet: true, isCertain: false });
    expect(of("betweenModes", sampled(0.01, 0.031))[0]).toMatchObject({ isMet: false, isCertain: undefined });
  });

  it("judges a policy that was trained for one step by that alone", () => {
    const { closedLoop, policies, ...rest } = smallComparison({ teacher: "lrlr", student: "lrlr" });
    const rows = [...closedLoop!.rows, { ...closedLoop!.rows[1]!, numSteps: 2 }];
    const stepsJudged = (isDistilled: boolean): number[] => {
      const [teacher, student] = policies;
      const all = [teacher!, { ...student!, isDistilled }];
      return [...new Set(judge({ ...rest, policies: all, closedLoop: { rows } }).map(({ numSteps }) => numSteps))];
    };
    expect(stepsJudged(false)).toEqual([1, 2]);
    expect(stepsJudged(true)).toEqual([1]);
  });

  it("never judges the teacher, and is no stricter with wider margins", () => {
    const outcomes = fc.string({ unit: fc.constantFrom("l", "r", "."), minLength: 5, maxLength: 30 });
    fc.assert(
      fc.property(outcomes, outcomes, fc.double({ min: 0, max: 0.2, noNaN: true }), (teacher, student, more) => {
        const comparison = smallComparison({
          teacher,
          student: student.padEnd(teacher.length, ".").slice(0, teacher.length),
        });
        const { margins } = comparison;
        const wider = { ...margins, success: margins.success + more, entropyShare: margins.entropyShare + more };
        const [strict, lenient] = [judge(comparison), judge({ ...comparison, margins: wider })];
        for (const verdict of strict) {
          expect(verdict.policy).toBe("student");
          const other = lenient.find(({ measure }) => measure === verdict.measure);
          if (verdict.isMet && other) expect(other.isMet).toBe(true);
          if (verdict.isCertain) expect(verdict.isMet).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });
});

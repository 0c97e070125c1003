import { describe, expect, it } from "vitest";
import { judge } from "../compare/index.js";
import { smallComparison } from "../compare/testing/small-comparison.js";
import { formatComparison, verdictSentence } from "./format-comparison.js";

const shown = (teacher: string, student: string) => {
  const comparison = smallComparison({ teacher, student });
  return formatComparison({ ...comparison, verdicts: judge(comparison) }, ["comparison.json"]);
};

describe("a comparison in words", () => {
  it("has a row per policy and number of steps, verdicts, and where it is", () => {
    const text = shown("lr".repeat(20), `${"lr".repeat(15)}${".".repeat(10)}`);
    expect(text).toMatch(/\nteacher +10 +40 of 40 +100\.0 % +91\.2 to 100\.0 +- +- +1\.000 +- +- +- +-\n/);
    expect(text).toMatch(
      /\nstudent +1 +30 of 40 +75\.0 % +59\.8 to 85\.8 +-40\.2 to -11\.1 +0\.002 +1\.000 +1\.01 +0\.00 \(0\.10\) +100 % +-\n/,
    );
    expect(text).toContain(
      "Against teacher with 10 steps:\n  student with 1 step misses the margin: success 75.0 %, at least 98.0 % wanted\n",
    );
    expect(text).toMatch(/\nwritten +comparison\.json$/);
  });

  it("says where nothing succeeded, and that nothing is judged by a teacher that fails", () => {
    const text = shown("....", "lr..");
    expect(text).toContain("No episode succeeded of teacher with 10 steps: the entropy of ways is undefined there.");
    expect(text).toContain("success is not judged: the teacher itself succeeds in 0.0 % only");
    expect(text).not.toContain("NaN");
  });

  it("says whose ways are undecided, and how many actions of a chunk are carried out", () => {
    const text = shown("lr".repeat(5), "lrlrlr????");
    expect(text).toContain("Closed loop in avoiding-ts/1, 4 actions of each chunk, the same starts");
    expect(text).toContain(
      "\n4 of 10 successes of student with 1 step leapt over a level: their way is undecided. They are left out of the entropy, and are no successes to the verdicts.\n",
    );
    expect(text).not.toContain("of teacher with 10 steps leapt");
  });

  it("says how certain a verdict is", () => {
    const verdict = {
      policy: "s",
      numSteps: 2,
      measure: "betweenModes",
      value: 0.01,
      bound: 0.02,
      isMet: true,
    } as const;
    expect(verdictSentence(verdict)).toBe(
      "s with 2 steps keeps the margin: samples between modes 1.0 %, at most 2.0 % wanted",
    );
    expect(verdictSentence({ ...verdict, isCertain: true })).toMatch(/wanted; its interval does, too$/);
    expect(verdictSentence({ ...verdict, isCertain: false })).toMatch(
      /wanted; its interval does not: too few to be sure$/,
    );
  });
});

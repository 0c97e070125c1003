import { describe, expect, it } from "vitest";
import type { Finding } from "../finding.js";
import { HealthWatch } from "../health-watch.js";
import type { SampleAgreement } from "../run-memory.js";

type Figures = readonly [numSteps: number, relativeError: number, noiseExplained: number, spreadRatio: number];

const agreement = (figures: readonly Figures[]): SampleAgreement[] =>
  figures.map(([numSteps, relativeError, noiseExplained, spreadRatio]) => ({
    numSteps,
    relativeError,
    noiseExplained,
    spreadRatio,
  }));

/** The student at first, while it is its teacher, and after a step. */
const TEACHER: readonly Figures[] = [
  [1, 0.19, -2.6, 1.09],
  [10, 0.03, 0.92, 1],
];

function afterTeacher(...later: readonly Figures[]): Pick<Finding, "kind" | "severity">[] {
  const watch = new HealthWatch({ numSteps: 100, schedule: () => 1e-3 });
  expect(watch.observeEvaluation(agreement(TEACHER))).toEqual([]);
  watch.observe({ step: 1, loss: 1, gradNorm: 1, learningRate: 1e-3 });
  return watch.observeEvaluation(agreement(later)).map(({ kind, severity }) => ({ kind, severity }));
}

describe("samples of a student", () => {
  it.each([
    ["reflow", [1, 0.108, -0.15, 1.13], [10, 0.031, 0.91, 0.95]],
    ["reflow with atoms at noise", [1, 0.085, 0.29, 1.09], [10, 0.031, 0.91, 0.95]],
    ["training for one step alone, which spoils ten", [1, 0.028, 0.92, 0.93], [10, 0.477, -21, 1.79]],
  ] as const)("that gained at one step are no finding: %s", (_, one, ten) => {
    expect(afterTeacher(one, ten)).toEqual([]);
  });

  it("that are worse at all numbers of steps have drifted", () => {
    expect(afterTeacher([1, 0.5, -30, 4], [10, 0.47, -29, 3.9])).toEqual([
      { kind: "drift-from-teacher", severity: "critical" },
    ]);
    expect(afterTeacher([1, 0.3, -10, 2], [10, 0.2, -3, 2])).toEqual([
      { kind: "drift-from-teacher", severity: "warning" },
    ]);
    expect(afterTeacher([10, 0.47, -29, 3.9])).toEqual([{ kind: "drift-from-teacher", severity: "critical" }]);
  });

  it("that hardly vary ignore their noise, if they did not before", () => {
    expect(afterTeacher([1, 0.1, 0, 0.1], [10, 0.1, 0.05, 0.2])).toEqual([
      { kind: "noise-ignored", severity: "critical" },
    ]);
  });

  it("are not taken to ignore their noise because one step does, or because they are merely wrong", () => {
    expect(afterTeacher([1, 0.1, 0, 0.1], [10, 0.03, 0.9, 1])).toEqual([]);
    expect(afterTeacher([1, 0.15, 0, 1], [10, 0.1, 0.05, 1.1])).toEqual([]);
  });

  it("that vary less than nine tenths of the teacher's have lost spread", () => {
    expect(afterTeacher([1, 0.1, 0, 1], [10, 0.04, 0.8, 0.88])).toEqual([{ kind: "spread-lost", severity: "warning" }]);
    expect(afterTeacher([1, 0.1, 0, 1], [10, 0.04, 0.8, 0.92])).toEqual([]);
  });

  it("are compared with the first evaluation, where spread is lost already", () => {
    const watch = new HealthWatch({ numSteps: 100, schedule: () => 1e-3 });
    watch.observeEvaluation(agreement([[10, 0.03, 0.9, 0.85]]));
    watch.observe({ step: 1, loss: 1, gradNorm: 1, learningRate: 1e-3 });
    expect(watch.observeEvaluation(agreement([[10, 0.03, 0.9, 0.83]]))).toEqual([]);
  });

  it("may lack figures, and are reported where these are no numbers", () => {
    const watch = new HealthWatch({ numSteps: 100, schedule: () => 1e-3 });
    watch.observeEvaluation([{ numSteps: 10 }]);
    watch.observe({ step: 1, loss: 1, gradNorm: 1, learningRate: 1e-3 });
    expect(watch.observeEvaluation([{ numSteps: 10 }])).toEqual([]);
    expect(watch.observeEvaluation([{ numSteps: 10, relativeError: Number.NaN }])).toMatchObject([
      { kind: "not-finite", message: "expected finite numbers, got numSteps 10, relativeError NaN" },
    ]);
  });
});

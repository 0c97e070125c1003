import { describe, expect, it } from "vitest";
import type { AgreementRow } from "../../eval/index.js";
import type { ComparedPolicy } from "./comparison.js";
import { findingsOf } from "./findings.js";

const policy = (name: string, isDistilled = false): ComparedPolicy => ({
  name,
  stage: name,
  path: name,
  weightsSha256: name,
  k: 1,
  isDistilled,
});

/** Error and spread at one step, then at ten. */
type Figures = readonly [error: number | undefined, spread: number | undefined][];

const rowsOf = (byName: Readonly<Record<string, Figures>>): AgreementRow[] =>
  Object.entries(byName).flatMap(([name, figures]) =>
    figures.map(([relativeError, spreadRatio], i) => ({
      name,
      numSteps: [1, 10][i]!,
      relativeError,
      spreadRatio,
      noiseExplained: 1,
    })),
  );

const ORIGINAL: Figures = [
  [0.2, 0.5],
  [0.01, 1],
];

describe("findings", () => {
  it("say nothing about the original, or about stages that keep the spread and lower the error", () => {
    const rows = rowsOf({
      flow: ORIGINAL,
      reflow: [
        [0.1, 0.9],
        [0.05, 1.2],
      ],
    });
    expect(findingsOf(rows, [policy("flow"), policy("reflow")])).toEqual([]);
  });

  it("tell a spread below 0.9, after distillation at the fewest steps alone", () => {
    const lost: Figures = [
      [0.1, 0.89],
      [0.05, 0.7],
    ];
    const spreads = (isDistilled: boolean): readonly string[] =>
      findingsOf(rowsOf({ flow: ORIGINAL, next: lost }), [policy("flow"), policy("next", isDistilled)]).map(
        (finding) => finding.split(",")[0]!,
      );
    expect(spreads(false)).toEqual(["next: spread 0.89 at 1 step", "next: spread 0.70 at 10 steps"]);
    expect(spreads(true)).toEqual(["next: spread 0.89 at 1 step"]);
  });

  it("tell an error that is not below the stage before, the original included", () => {
    const worse: Figures = [
      [0.2, 1],
      [0.05, 1],
    ];
    expect(findingsOf(rowsOf({ flow: ORIGINAL, next: worse }), [policy("flow"), policy("next")])).toEqual([
      "next: error 20.0 % at 1 step, not better than flow (20.0 %). This stage has not helped: use flow",
    ]);
  });

  it("make nothing of measures that are undefined", () => {
    const unknown: Figures = [
      [undefined, undefined],
      [undefined, undefined],
    ];
    expect(findingsOf(rowsOf({ flow: unknown, next: unknown }), [policy("flow"), policy("next")])).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { type RateOutcome, recommendRate } from "./recommend-rate.js";

const outcomes = (...list: readonly (readonly [number, number | undefined, RateOutcome["verdict"]?])[]) =>
  list.map(([learningRate, score, verdict = "stable"]) => ({ learningRate, score, verdict }));

describe("the recommended learning rate", () => {
  it("is the one with the best score, with its margins to both sides", () => {
    const { learningRate, reasons } = recommendRate(
      outcomes([2e-5, 0.15], [1e-5, 0.2], [5e-5, 0.18]),
      "error at 1 step",
      0.3,
    );
    expect(learningRate).toBe(2e-5);
    expect(reasons).toEqual([
      "it has the best error at 1 step of the stable rates (0.15)",
      "the next smaller, 1e-5, is 33 % worse",
      "the next larger, 5e-5, is 20 % worse",
    ]);
  });

  it("is the largest of those within 2 % of the best", () => {
    const { learningRate, reasons } = recommendRate(outcomes([1e-5, 0.1], [2e-5, 0.1019], [5e-5, 0.1021]), "loss", 1);
    expect(learningRate).toBe(2e-5);
    expect(reasons[0]).toBe(
      "it has the best loss of the stable rates (0.102), up to the 2 % that count as equal, and is the largest of those",
    );
    expect(reasons[1]).toBe("the next smaller, 1e-5, is 1.9 % better");
  });

  it("is never one that was unstable, diverged or gave no number, however good its score", () => {
    const tried = outcomes(
      [1e-5, 0.3],
      [2e-5, 0.2],
      [5e-5, 0.1, "unstable"],
      [7e-5, undefined, "diverged"],
      [1e-4, Number.NaN],
    );
    const { learningRate, reasons } = recommendRate(tried, "loss", 1);
    expect(learningRate).toBe(2e-5);
    expect(reasons).toContain("the next larger, 5e-5, was unstable");
  });

  it.each([
    [
      outcomes([1e-5, 0.3], [2e-5, 0.1]),
      "it is the largest that was tried: widen the sweep upwards, to 4e-5 and above",
    ],
    [
      outcomes([1e-5, 0.1], [2e-5, 0.3]),
      "it is the smallest that was tried: widen the sweep downwards, to 5e-6 and below",
    ],
  ])("at the edge of what was tried asks for a wider sweep", (tried, reason) => {
    expect(recommendRate(tried, "loss", 1).reasons.at(-1)).toBe(reason);
  });

  it("below a rate that diverged is at no edge", () => {
    const { reasons } = recommendRate(outcomes([1e-5, 0.3], [2e-5, 0.1], [1, undefined, "diverged"]), "loss", 1);
    expect(reasons.at(-1)).toBe("the next larger, 1e+0, diverged");
  });

  it("says so if nothing got better than the untrained student", () => {
    const { reasons } = recommendRate(outcomes([1e-5, 0.4], [2e-5, 0.3], [5e-5, 0.5]), "loss", 0.25);
    expect(reasons).toContain(
      "no rate got better than the untrained student (0.25): the sweep is too short to decide. Give more --steps",
    );
  });

  it("is none if no rate was stable, and lower ones are named", () => {
    const { learningRate, reasons } = recommendRate(
      outcomes([3e-3, 0.1, "unstable"], [1e-2, undefined, "diverged"]),
      "loss",
      1,
    );
    expect(learningRate).toBeUndefined();
    expect(reasons).toEqual(["no rate was stable to the end. Try lower ones: --lrs=3e-4,6e-4,1.5e-3"]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../support/errors.js";
import { betaLaw, TIME_LAWS, type TimeLaw, timeLaw, timeLawByName, uniformLaw, uShapedLaw } from "../index.js";

/** The integral of a law's density between two times, by the midpoint rule. */
function massBetween(law: TimeLaw, from: number, to: number, numParts = 20_000): number {
  let sum = 0;
  for (let i = 0; i < numParts; i++) sum += law.density(from + ((i + 0.5) / numParts) * (to - from));
  return (sum * (to - from)) / numParts;
}

const massBelow = (law: TimeLaw, time: number): number => massBetween(law, 0, time);

describe.each(TIME_LAWS)("the $name law", (law) => {
  it("has a quantile that is the inverse of its density's integral", () => {
    expect(massBelow(law, 1)).toBeCloseTo(1, 4);
    for (const u of [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99]) expect(massBelow(law, law.quantile(u))).toBeCloseTo(u, 4);
  });

  it("has a quantile that rises and stays in [0, 1]", () => {
    const times = Array.from({ length: 1001 }, (_, i) => law.quantile(i / 1000));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(0);
    expect(times.at(-1)).toBeLessThanOrEqual(1);
  });

  it("is found by its name", () => expect(timeLawByName(law.name)).toBe(law));
});

describe("time laws", () => {
  it("put the masses at the ends that their papers give", () => {
    const percent = (law: TimeLaw): number[] =>
      [massBelow(law, 0.1), massBetween(law, 0.9, 1)].map((mass) => Math.round(100 * mass));
    expect(percent(betaLaw)).toEqual([3, 15]);
    expect(percent(uShapedLaw)).toEqual([17, 17]);
    expect(percent(uniformLaw)).toEqual([10, 10]);
    expect(100 * massBelow(betaLaw, 0.02)).toBeCloseTo(0.3, 1);
    expect(percent(timeLaw({ law: "shift", alpha: 4 }))[1]).toBe(31);
  });

  it("have the heights at the ends and in the middle that the U-shaped law is published with", () => {
    expect([0, 0.5, 1].map((time) => uShapedLaw.density(time).toFixed(2))).toEqual(["2.07", "0.55", "2.07"]);
  });

  it("keep off the ends where they say so", () => {
    expect([0, 1].map(uShapedLaw.quantile)).toEqual([1e-5, 1 - 1e-5]);
    expect(betaLaw.quantile(0)).toBe(0.001);
    expect(betaLaw.quantile(1)).toBe(1);
  });

  it("that do not exist are refused, naming those that do and the nearest", () => {
    expect(() => timeLawByName("u-shaped")).toThrow(
      new ConfigError(
        "flow.time",
        'expected one of beta, uniform, u_shaped, logit_normal, shift, got "u-shaped". Did you mean "u_shaped"?',
      ),
    );
    expect(() => timeLawByName("cosine")).toThrow(/got "cosine"$/);
  });
});

describe("timeLaw", () => {
  it("gives the published law where no parameter is given, whatever the other laws' parameters", () => {
    const u = [0, 0.001, 0.2, 0.5, 0.77, 0.999];
    for (const law of TIME_LAWS) {
      expect(u.map(timeLaw({ law: law.name }).quantile)).toEqual(u.map(law.quantile));
      expect(timeLaw({ law: law.name }).name).toBe(law.name);
    }
    expect(u.map(timeLaw({ law: "beta", steepness: 9, mean: 3, std: 2, alpha: 7 }).quantile)).toEqual(
      u.map(betaLaw.quantile),
    );
  });

  const someLaw = fc.oneof(
    fc.record({ law: fc.constant("u_shaped"), steepness: fc.double({ min: 0.01, max: 100, noNaN: true }) }),
    fc.record({
      law: fc.constant("logit_normal"),
      mean: fc.double({ min: -3, max: 3, noNaN: true }),
      std: fc.double({ min: 0.2, max: 3, noNaN: true }),
    }),
    fc.record({ law: fc.constant("shift"), alpha: fc.double({ min: 0.05, max: 20, noNaN: true }) }),
  );
  const inside = fc.double({ min: 0.02, max: 0.98, noNaN: true });

  it("has a quantile that rises and whose slope is one over the density, for any parameters", () => {
    fc.assert(
      fc.property(someLaw, inside, (settings, u) => {
        const law = timeLaw(settings);
        const h = 1e-6;
        const [before, at, after] = [law.quantile(u - h), law.quantile(u), law.quantile(u + h)];
        expect(before).toBeLessThanOrEqual(at);
        expect(at).toBeLessThanOrEqual(after);
        expect(at).toBeGreaterThanOrEqual(0);
        expect(at).toBeLessThanOrEqual(1);
        // Where the law is held off the ends its quantile is level, and its mass a point's.
        if (before > 2e-5 && after < 1 - 2e-5) {
          expect((law.density(at) * (after - before)) / (2 * h)).toBeCloseTo(1, 3);
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("has the whole mass between the ends, for any parameters", () => {
    fc.assert(
      fc.property(someLaw, (settings) => {
        expect(massBetween(timeLaw(settings), 0, 1, 50_000)).toBeCloseTo(1, 3);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it("becomes uniform as a shift of 1 and a U without steepness", () => {
    for (const u of [0.01, 0.3, 0.5, 0.99]) {
      expect(timeLaw({ law: "shift", alpha: 1 }).quantile(u)).toBeCloseTo(u, 12);
      expect(timeLaw({ law: "u_shaped", steepness: 1e-4 }).quantile(u)).toBeCloseTo(u, 8);
    }
  });

  it("favours noise with a logit-normal mean above 0 and mirrors with its sign", () => {
    const [above, below] = [0.4, -0.4].map((mean) => timeLaw({ law: "logit_normal", mean, std: 1 }));
    expect(above!.quantile(0.5)).toBeCloseTo(1 / (1 + Math.exp(-0.4)), 12);
    for (const u of [0.05, 0.3, 0.8]) expect(above!.quantile(u)).toBeCloseTo(1 - below!.quantile(1 - u), 12);
    expect(timeLaw({ law: "logit_normal" }).quantile(0)).toBe(0);
  });

  it.each([
    [{ law: "u_shaped", steepness: 0 }, "steepness to be above 0 and at most 100, got 0"],
    [{ law: "u_shaped", steepness: 101 }, "steepness to be above 0 and at most 100, got 101"],
    [{ law: "logit_normal", std: 0 }, "std to be a number above 0, got 0"],
    [{ law: "logit_normal", mean: Number.NaN }, "mean to be a finite number, got NaN"],
    [{ law: "shift", alpha: -1 }, "alpha to be a number above 0, got -1"],
    [{ law: "shift", alpha: Number.POSITIVE_INFINITY }, "alpha to be a number above 0, got Infinity"],
  ])("refuses %j", (settings, text) => {
    expect(() => timeLaw(settings)).toThrow(new ConfigError("flow.time", `expected ${text}`));
  });

  it("refuses a law that does not exist", () => {
    expect(() => timeLaw({ law: "constructor" })).toThrow(/^flow.time: expected one of beta, .* got "constructor"$/);
  });
});

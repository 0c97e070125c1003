import { describe, expect, it } from "vitest";
import { ConfigError } from "../support/errors.js";
import { Generator } from "../torch/index.js";
import { betaLaw, sampleTime, TIME_LAWS, timeLawByName, uniformLaw, uShapedLaw } from "./index.js";

/** The integral of a law's density from 0 to a time, by the midpoint rule. */
function massBelow(law: (typeof TIME_LAWS)[number], time: number): number {
  const numParts = 20_000;
  let sum = 0;
  for (let i = 0; i < numParts; i++) sum += law.density(((i + 0.5) / numParts) * time);
  return (sum * time) / numParts;
}

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

  it("is what sampleTime draws: every tenth has its mass", () => {
    const n = 40_000;
    const times = sampleTime(law, n, new Generator(11)).toNumbers();
    for (let k = 0; k < 10; k++) {
      const mass = massBelow(law, (k + 1) / 10) - massBelow(law, k / 10);
      const share = times.filter((time) => time >= k / 10 && time < (k + 1) / 10).length / n;
      expect(Math.abs(share - mass)).toBeLessThan(4.5 * Math.sqrt((mass * (1 - mass)) / n));
    }
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...times)).toBeLessThanOrEqual(1);
  });

  it("is found by its name", () => expect(timeLawByName(law.name)).toBe(law));
});

describe("time laws", () => {
  it("put the masses at the ends that their papers give", () => {
    const ends = (law: (typeof TIME_LAWS)[number]): number[] => [massBelow(law, 0.1), 1 - massBelow(law, 0.9)];
    const percent = (law: (typeof TIME_LAWS)[number]): number[] => ends(law).map((mass) => Math.round(100 * mass));
    expect(percent(betaLaw)).toEqual([3, 15]);
    expect(percent(uShapedLaw)).toEqual([17, 17]);
    expect(percent(uniformLaw)).toEqual([10, 10]);
    expect(100 * massBelow(betaLaw, 0.02)).toBeCloseTo(0.3, 1);
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
      new ConfigError("flow.time", 'expected one of beta, uniform, u_shaped, got "u-shaped". Did you mean "u_shaped"?'),
    );
    expect(() => timeLawByName("cosine")).toThrow(/got "cosine"$/);
  });
});

describe("sampleTime", () => {
  it("is deterministic by seed", () => {
    const draw = (seed: number): number[] => sampleTime(betaLaw, 8, new Generator(seed)).toNumbers();
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(sampleTime(betaLaw, 8, new Generator(1))).toMatchObject({ dtype: "float32", shape: [8] });
  });

  it.each([0, 0.25, 1])("puts a share of %d at noise exactly", (share) => {
    const n = 20_000;
    const times = sampleTime(uShapedLaw, n, new Generator(3), share).toNumbers();
    const atNoise = times.filter((time) => time === 1).length / n;
    expect(Math.abs(atNoise - share)).toBeLessThanOrEqual(4 * Math.sqrt((share * (1 - share)) / n));
  });

  it("leaves the other times of a batch as they are when a share goes to noise", () => {
    const without = sampleTime(uniformLaw, 100, new Generator(3)).toNumbers();
    const times = sampleTime(uniformLaw, 100, new Generator(3), 0.5).toNumbers();
    for (const [i, time] of times.entries()) expect([1, without[i]]).toContain(time);
  });
});

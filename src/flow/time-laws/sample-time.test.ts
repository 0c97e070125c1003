import { describe, expect, it } from "vitest";
import { ConfigError } from "../../support/errors.js";
import { empty, Generator, numLiveTensors, uniform_ } from "../../torch/index.js";
import { betaLaw, sampleTime, TIME_LAWS, timeLaw, uniformLaw, uShapedLaw, withAtoms } from "../index.js";

/** How far a share may be from its expectation over n samples. */
const chance = (share: number, n: number): number => 4.5 * Math.sqrt((share * (1 - share)) / n);

describe.each(TIME_LAWS)("under the $name law", (law) => {
  it("a tenth of the draws lies between any two neighbouring deciles, and all of them in [0, 1]", () => {
    const n = 40_000;
    const times = sampleTime(law, n, new Generator(11)).toNumbers();
    for (let k = 0; k < 10; k++) {
      const [from, to] = [law.quantile(k / 10), k === 9 ? 1.1 : law.quantile((k + 1) / 10)];
      const share = times.filter((time) => time >= from && time < to).length / n;
      expect(Math.abs(share - 0.1)).toBeLessThan(chance(0.1, n));
    }
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...times)).toBeLessThanOrEqual(1);
  });
});

describe("sampleTime", () => {
  it("is deterministic by seed, and leaves nothing but its result alive", () => {
    const draw = (seed: number): number[] => sampleTime(betaLaw, 8, new Generator(seed)).toNumbers();
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    const before = numLiveTensors();
    using times = sampleTime(betaLaw, 8, new Generator(1));
    expect(times).toMatchObject({ dtype: "float32", shape: [8] });
    expect(numLiveTensors()).toBe(before + 1);
  });

  it("takes two uniform numbers for each sample: below the share the first sends it to noise, the second is its law's", () => {
    const uniforms = uniform_(empty([50, 2], "float64"), 0, 1, new Generator(7)).toNumbers();
    for (const share of [0, 0.3]) {
      const expected = Array.from({ length: 50 }, (_, i) =>
        uniforms[2 * i]! < share ? 1 : Math.fround(uShapedLaw.quantile(uniforms[2 * i + 1]!)),
      );
      expect(sampleTime(uShapedLaw, 50, new Generator(7), share).toNumbers()).toEqual(expected);
    }
  });

  it.each([0, 0.25, 1])("puts a share of %d at noise exactly", (share) => {
    const n = 20_000;
    const times = sampleTime(uShapedLaw, n, new Generator(3), share).toNumbers();
    const atNoise = times.filter((time) => time === 1).length / n;
    expect(Math.abs(atNoise - share)).toBeLessThanOrEqual(chance(share, n));
  });

  it("leaves the other times of a batch as they are when a share goes to noise", () => {
    const without = sampleTime(uniformLaw, 100, new Generator(3)).toNumbers();
    const times = sampleTime(uniformLaw, 100, new Generator(3), 0.5).toNumbers();
    for (const [i, time] of times.entries()) expect([1, without[i]]).toContain(time);
  });
});

describe("withAtoms", () => {
  it("with the one atom 1 draws bit for bit what a share at noise draws", () => {
    for (const share of [0, 0.1, 0.5, 1]) {
      const mixture = withAtoms(uShapedLaw, [1], share);
      expect(sampleTime(mixture, 500, new Generator(5)).toNumbers()).toEqual(
        sampleTime(uShapedLaw, 500, new Generator(5), share).toNumbers(),
      );
    }
  });

  it("shares among its atoms alike, and keeps the law for the rest", () => {
    const n = 60_000;
    const atoms = [1, 0.5, 0.25];
    const law = timeLaw({ law: "shift", alpha: 2 });
    const times = sampleTime(withAtoms(law, atoms, 0.6), n, new Generator(8)).toNumbers();
    for (const atom of atoms) {
      expect(Math.abs(times.filter((time) => time === atom).length / n - 0.2)).toBeLessThan(chance(0.2, n));
    }
    const rest = times.filter((time) => !atoms.includes(time));
    const below = rest.filter((time) => time < law.quantile(0.3)).length / rest.length;
    expect(Math.abs(below - 0.3)).toBeLessThan(chance(0.3, rest.length));
  });

  it("draws atoms alone with a share of 1", () => {
    const times = sampleTime(withAtoms(betaLaw, [1, 0.5], 1), 200, new Generator(2)).toNumbers();
    expect(new Set(times)).toEqual(new Set([1, 0.5]));
  });

  it.each([
    [[], 0.5, "atoms to be a list of at least one time, each once, got []"],
    [[1, 0.5, 1], 0.5, "atoms to be a list of at least one time, each once, got [1, 0.5, 1]"],
    [[0], 0.5, "an atom to be above 0 and at most 1, got 0"],
    [[1, 1.5], 0.5, "an atom to be above 0 and at most 1, got 1.5"],
    [[1], 1.5, "the share at atoms to be a share from 0 to 1, got 1.5"],
    [[1], Number.NaN, "the share at atoms to be a share from 0 to 1, got NaN"],
  ])("refuses atoms %j with a share of %d", (atoms, share, text) => {
    expect(() => withAtoms(betaLaw, atoms, share)).toThrow(new ConfigError("flow.time", `expected ${text}`));
  });
});

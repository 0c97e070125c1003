import { describe, expect, it } from "vitest";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { seededNumbers } from "../statistics/seeded-numbers.js";
import { compareModes } from "./compare-modes.js";
import { energyDistance } from "./energy-distance.js";
import { findModes } from "./find-modes.js";
import { slicedWasserstein } from "./sliced-wasserstein.js";
import { splitDistance } from "./split-distance.js";

const [O, K] = [8, 256];
/** Chunks `[O, K, 1, M]` of standard normal numbers, mapped. */
const samplesOf = (seed: number, map: (z: number, observation: number) => number, M = 1): HostArray => {
  const random = seededNumbers("test", seed);
  const data = Float32Array.from({ length: O * K * M }, (_, i) => map(random.normal(), Math.floor(i / (K * M))));
  return hostArray("float32", [O, K, 1, M], data);
};
const normal = samplesOf(1, (z) => z);
/** E|N(mean, spread^2)| is `spread sqrt(2 / pi)` for mean 0. */
const meanSize = (spread: number): number => spread * Math.sqrt(2 / Math.PI);

describe("the energy distance", () => {
  it("is 0 within sampling error for equal distributions, and exact for another spread", () => {
    expect(
      Math.abs(
        energyDistance(
          samplesOf(2, (z) => z),
          normal,
        ),
      ),
    ).toBeLessThan(0.01);
    const expected = 2 * meanSize(Math.sqrt(1 + 0.25)) - meanSize(Math.SQRT2) - meanSize(0.5 * Math.SQRT2);
    expect(
      energyDistance(
        samplesOf(3, (z) => 0.5 * z),
        normal,
      ),
    ).toBeCloseTo(expected, 1);
    expect(expected).toBeGreaterThan(0.05);
  });

  it("sees a policy that ignores its observation where the pool of observations does not", () => {
    const reference = samplesOf(4, (z, o) => 0.1 * z + o);
    const shuffled = samplesOf(5, (z, o) => 0.1 * z + ((o + 1) % O));
    expect(energyDistance(shuffled, reference)).toBeGreaterThan(1);
  });
});

describe("the sliced Wasserstein distance", () => {
  it.each([
    [1, 0.3],
    [0.5, 0],
    [0.2, 1],
  ])("in one dimension is the exact W2 of N(0, 1) and spread %d at mean %d", (spread, mean) => {
    const distance = slicedWasserstein(
      samplesOf(6, (z) => mean + spread * z),
      normal,
      { seed: 0 },
    );
    expect(distance).toBeCloseTo(Math.sqrt(mean ** 2 + (1 - spread) ** 2), 1);
  });

  it("of a shift is its length over the root of the number of entries", () => {
    const wide = samplesOf(7, (z) => z, 6);
    const moved = hostArray(
      "float32",
      wide.shape,
      (wide.data as Float32Array).map((z) => z + 0.5),
    );
    expect(slicedWasserstein(moved, wide, { seed: 0, numProjections: 2000 })).toBeCloseTo(0.5, 1);
    expect(slicedWasserstein(wide, wide, { seed: 0 })).toBe(0);
  });
});

describe("a zero level", () => {
  it("makes a perfect copy exactly no distance, and another spread a clear one", () => {
    expect(splitDistance(normal, normal, energyDistance, 0)!.excess).toBe(0);
    const sliced = (x: HostArray, y: HostArray) => slicedWasserstein(x, y, { seed: 0 });
    const { distance, zeroLevel, excess } = splitDistance(
      samplesOf(8, (z) => 0.5 * z),
      normal,
      sliced,
      0,
    )!;
    expect(zeroLevel).toBeGreaterThan(0.05); // finite samples of one distribution are apart
    expect(excess).toBe(distance - zeroLevel);
    expect(excess).toBeGreaterThan(0.3);
  });

  it("is needed with shared noises, which bring samples too close together", () => {
    expect(energyDistance(normal, normal)).toBeLessThan(-0.005);
    expect(splitDistance(normal, normal, () => undefined, 0)).toBeUndefined();
  });
});

describe("modes", () => {
  const twoModes = (z: number): number => Math.sign(z) + 0.1 * z;
  const reference = samplesOf(9, twoModes);

  it("are two where actions go two ways, with their centres, spreads and shares", () => {
    const chunks = Array.from({ length: K }, (_, k) => (reference.data as Float32Array).subarray(k, k + 1));
    const { modes, silhouette } = findModes(chunks, 0.7);
    expect(silhouette).toBeGreaterThan(0.9);
    expect(modes).toHaveLength(2);
    expect(modes[0]!.share + modes[1]!.share).toBe(1);
    for (const { centre, spread } of modes) {
      expect(Math.abs(centre[0]!)).toBeCloseTo(1 + meanSize(0.1), 1);
      expect(spread).toBeCloseTo(0.1 * Math.sqrt(1 - 2 / Math.PI), 1);
    }
  });

  it("are one for normal actions, though half of them cut off has a silhouette above the customary 0.5", () => {
    const chunks = Array.from({ length: K }, (_, k) => (normal.data as Float32Array).subarray(k, k + 1));
    const { modes, silhouette } = findModes(chunks, 0.7);
    expect(modes).toHaveLength(1);
    expect(silhouette).toBeGreaterThan(0.5);
    expect(silhouette).toBeLessThan(0.65);
    expect(compareModes(normal, normal)).toMatchObject({ numMultimodal: 0, totalVariation: undefined });
  });

  it("are one without a silhouette for samples that are all the same", () => {
    const { modes, silhouette } = findModes([Float32Array.of(2), Float32Array.of(2)], 0.5);
    expect([modes.length, silhouette, modes[0]!.spread]).toEqual([1, undefined, 0]);
  });

  it("of the conditional mean are all missed: everything lies between", () => {
    const comparison = compareModes(
      samplesOf(10, () => 0),
      reference,
    );
    expect(comparison).toMatchObject({ betweenModes: 1, numMultimodal: O });
    expect(comparison.referenceBetweenModes).toBeLessThan(0.03);
  });

  it("that are lost show in the frequencies: half of total variation and ln 2 of entropy", () => {
    const { totalVariation, entropyDifference, betweenModes } = compareModes(
      samplesOf(11, (z) => 1 + 0.1 * Math.abs(z)),
      reference,
    );
    expect(totalVariation).toBeCloseTo(0.5, 1);
    expect(entropyDifference).toBeCloseTo(-Math.LN2, 1);
    expect(betweenModes).toBeLessThan(0.03);
    expect(compareModes(reference, reference)).toMatchObject({ totalVariation: 0, entropyDifference: 0 });
  });
});

describe("measures of distributions refuse", () => {
  const small = hostArray("float32", [1, 2, 1, 1], Float32Array.of(1, 2));
  const single = hostArray("float32", [1, 1, 1, 1], Float32Array.of(1));
  const broken = hostArray("float32", [1, 2, 1, 1], Float32Array.of(1, Number.NaN));

  it.each<[string, () => unknown, string]>([
    [
      "a single sample",
      () => energyDistance(single, small),
      "eval.energyDistance: expected at least 2 noises per observation in samples, got 1",
    ],
    [
      "what is no number",
      () => energyDistance(small, broken),
      "eval.energyDistance: expected finite numbers in reference, got NaN at entry 1",
    ],
    [
      "other observations",
      () => compareModes(normal, small),
      "eval.compareModes: expected samples and reference of the same observations and chunks, got [8, 256, 1, 1] and [1, 2, 1, 1]",
    ],
    [
      "other numbers of samples",
      () => slicedWasserstein(single, small, { seed: 0 }),
      "eval.slicedWasserstein: expected as many samples as reference samples, got 1, 2",
    ],
    [
      "no directions",
      () => slicedWasserstein(small, small, { seed: 0, numProjections: 0 }),
      "eval.slicedWasserstein: expected numProjections to be a whole number of at least 1, got 0",
    ],
    [
      "halves of two",
      () => splitDistance(small, small, energyDistance, 0),
      "eval.splitDistance: expected at least 4 noises per observation in samples, got 2",
    ],
    [
      "an impossible silhouette",
      () => compareModes(small, small, { minSilhouette: 1 }),
      "eval.findModes: expected minSilhouette to be above 0 and below 1, got 1",
    ],
  ])("%s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});

import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { Generator, ones } from "../../torch/index.js";
import { annealingBeta, annealNoise, sampleNoise } from "../index.js";

const generator = new Generator(3);
const SHAPE = [200, 25, 8] as const;
const [noise, fresh] = [sampleNoise(SHAPE, generator), sampleNoise(SHAPE, generator)];
const numEntries = noise.numElements;
const meanProduct = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0) / a.length;

describe("annealNoise", () => {
  it.each([0, 0.2, 0.5, 0.9, 1])(
    "keeps unit variance at beta %d, and sqrt(1 - beta^2) of the pair's own noise",
    (beta) => {
      const mixed = annealNoise(noise, fresh, beta).toNumbers();
      expect(Math.abs(meanProduct(mixed, mixed) - 1)).toBeLessThan(4.5 * Math.sqrt(2 / numEntries));
      const own = meanProduct(mixed, noise.toNumbers());
      expect(Math.abs(own - Math.sqrt(1 - beta ** 2))).toBeLessThan(4.5 * Math.sqrt(2 / numEntries));
    },
  );

  it("is the pair's noise bit for bit at beta 0 and the fresh one at 1", () => {
    expect(annealNoise(noise, fresh, 0).toNumbers()).toEqual(noise.toNumbers());
    expect(annealNoise(noise, fresh, 1).toNumbers()).toEqual(fresh.toNumbers());
  });

  it("refuses a beta out of range and noises of two shapes", () => {
    expect(() => annealNoise(noise, fresh, 1.5)).toThrow(
      new ConfigError("flow.annealNoise", "expected beta to be a number from 0 to 1, got 1.5"),
    );
    expect(() => annealNoise(noise, ones([1, 25, 8]), 0.5)).toThrow(
      new ShapeError("flow.annealNoise: expected noises of one shape, got [200, 25, 8] and [1, 25, 8]"),
    );
  });
});

it("annealingBeta falls in a line from 1 to 0 and stays there", () => {
  expect([0, 25, 50, 100, 1000].map((step) => annealingBeta(step, 100))).toEqual([1, 0.75, 0.5, 0, 0]);
  expect(annealingBeta(0, 0)).toBe(0);
});

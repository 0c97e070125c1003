import { expect, it } from "vitest";
import { ShapeError } from "../../support/errors.js";
import { hostArray } from "../../support/host-array.js";
import { compareModes } from "../distributions/compare-modes.js";
import { seededNumbers } from "../statistics/seeded-numbers.js";
import { meanAction } from "./mean-action.js";

it("the mean action is over the steps of each chunk, dimension by dimension", () => {
  const samples = hostArray("float32", [1, 2, 2, 2], Float32Array.of(1, 10, 3, 30, 5, 50, 9, 90));
  const { shape, data } = meanAction(samples);
  expect([shape, [...data]]).toEqual([
    [1, 2, 1, 2],
    [2, 20, 7, 70],
  ]);
  expect(() => meanAction(hostArray("float32", [2, 2], new Float32Array(4)))).toThrow(ShapeError);
});

it("the mean action shows two ways that the scatter of single actions hides, and what lies between them", () => {
  const random = seededNumbers("test", 3);
  const [numNoises, numSteps] = [64, 32];
  const chunks = (side: (noise: number) => number) =>
    hostArray(
      "float32",
      [1, numNoises, numSteps, 1],
      Float32Array.from({ length: numNoises * numSteps }, (_, i) => side(Math.floor(i / numSteps)) + random.normal()),
    );
  const teacher = chunks((noise) => (noise % 2 === 0 ? 1 : -1));
  const middle = chunks(() => 0);
  expect(compareModes(middle, teacher)).toMatchObject({ numMultimodal: 0, betweenModes: 0 });
  const seen = compareModes(meanAction(middle), meanAction(teacher));
  expect(seen.numMultimodal).toBe(1);
  expect(seen.referenceBetweenModes).toBeLessThan(0.05);
  expect(seen.betweenModes).toBeGreaterThan(0.9);
});

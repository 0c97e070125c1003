import { expect, it } from "vitest";
import { euler, sampleNoise, solve, solveWithFixedNoise, velocityTarget } from "../../src/flow/index.js";
import { ConfigError } from "../../src/support/errors.js";
import { Generator, numLiveTensors, scope, tensor } from "../../src/torch/index.js";
import { gaussianField } from "./gaussian-field.js";

const generator = new Generator(1);
const [noise, actions] = [sampleNoise([3, 4, 5], generator), sampleNoise([3, 4, 5], generator)];

it.each([1, 2, 5])("a straight field is solved as by Euler's method in %d steps, and the noise stays", (numSteps) => {
  const before = [noise.toNumbers(), numLiveTensors()] as const;
  const straight = () => velocityTarget(noise, actions);
  const [ours, eulers] = scope(() => [
    solveWithFixedNoise(straight, noise, numSteps).toNumbers(),
    solve(euler, straight, noise, numSteps).toNumbers(),
  ]) as [number[], number[]];
  for (const [i, x] of ours.entries()) expect(x).toBeCloseTo(eulers[i]!, 5);
  expect([noise.toNumbers(), numLiveTensors()]).toEqual(before);
});

// Closed form, standard normal actions: the more steps, the farther from the truth, which is 1.
it.each([
  [1, 0],
  [2, 0.5],
  [5, 1.02],
  [10, 1.47],
  [1000, 8.89],
])("on a flow that was not straightened the spread after %d steps is %d", (numSteps, spread) => {
  const end = scope(() => solveWithFixedNoise(gaussianField(0, 1), tensor([1], [1, 1, 1], "float64"), numSteps).item());
  expect(Math.abs(end - spread)).toBeLessThan(0.005);
});

it("refuses no steps at all", () => {
  expect(() => solveWithFixedNoise((x) => x, noise, 0)).toThrow(
    new ConfigError("flow.solveWithFixedNoise", "expected numSteps to be an integer of at least 1, got 0"),
  );
});

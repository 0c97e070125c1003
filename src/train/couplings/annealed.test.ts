import { expect, it } from "vitest";
import { Generator, scope } from "../../torch/index.js";
import { annealed } from "./annealed.js";
import { syntheticBatch, syntheticCoupling } from "./testing/synthetic-coupling.js";

const NUM_STEPS = 8;
const TASKS = Array<string>(2000).fill("a");

/** A pair's own noise, which is half its actions, and the noise that it is learnt with, at a step. */
function noisesAt(step: number): { own: number[]; learnt: number[]; actions: number[] } {
  return scope(() => {
    using generator = new Generator(3);
    const coupling = annealed(syntheticCoupling(1), NUM_STEPS, "cpu");
    const { noise, actions } = coupling.couple(syntheticBatch(step, step, TASKS), undefined, generator);
    const all = actions.toNumbers();
    return { own: all.map((a) => a / 2), learnt: noise.toNumbers(), actions: all };
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

it("begins with noises of their own and goes over to the pairs': the correlation is sqrt(1 - (1 - step / numSteps)^2)", () => {
  for (const step of [0, 2, 4, 6, 7]) {
    const { own, learnt } = noisesAt(step);
    const deviation = Math.sqrt(mean(learnt.map((x) => x ** 2)));
    expect(deviation, `step ${step}`).toBeCloseTo(1, 1);
    const correlation = mean(learnt.map((x, i) => x * own[i]!));
    // 24 000 entries: a standard error of 0.007
    expect(Math.abs(correlation - Math.sqrt(1 - (1 - step / NUM_STEPS) ** 2)), `step ${step}`).toBeLessThan(0.035);
  }
});

it("leaves the pairs as they are from its last step on, bit by bit, and their actions always", () => {
  for (const step of [NUM_STEPS, NUM_STEPS + 1, 1000]) expect(noisesAt(step).learnt).toEqual(noisesAt(step).own);
  expect(noisesAt(0).actions).toEqual(noisesAt(1000).actions);
});

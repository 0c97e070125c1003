import { expect, it } from "vitest";
import { Generator, numLiveTensors, scope } from "../../torch/index.js";
import { batchNumber } from "../batch-order.js";
import { buffered } from "./buffered.js";
import { syntheticBatch, syntheticCoupling } from "./testing/synthetic-coupling.js";

const REUSE = { numUses: 3, numBatches: 4, seed: 9 };

/** Noise of each step, from one coupling, as an uninterrupted run asks for it. */
function noises(steps: readonly number[], seed = 5, capacity = REUSE.numBatches) {
  const inner = syntheticCoupling(2);
  const coupling = buffered(inner, capacity, seed);
  const seen = steps.map((step) =>
    scope(() => {
      using generator = new Generator(step); // of the step, which pairs must not depend on
      return coupling.couple(syntheticBatch(batchNumber(step, REUSE), step), undefined, generator).noise.toNumbers();
    }),
  );
  coupling.dispose();
  return { seen, made: inner.made, isDisposed: inner.isDisposed };
}

const steps = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

it("asks for the pairs of each batch once, and gives the very same ones at each of its uses", () => {
  const { seen, made, isDisposed } = noises(steps(0, 36));
  expect(made).toEqual(steps(0, 12));
  const uses = new Map<string, number>();
  for (const noise of seen) uses.set(noise.join(), (uses.get(noise.join()) ?? 0) + 1);
  expect([...uses.values()]).toEqual(Array(12).fill(3));
  expect(isDisposed).toBe(true);
});

it("gives a run that continues in the middle of a block what the unbroken one had", () => {
  const { seen } = noises(steps(0, 24));
  for (const start of [5, 12, 17]) expect(noises(steps(start, 24)).seen).toEqual(seen.slice(start));
});

it("makes pairs anew, alike, where it can keep too few of them", () => {
  const { seen, made } = noises(steps(0, 24), 5, 1);
  expect(seen).toEqual(noises(steps(0, 24)).seen);
  expect(made.length).toBeGreaterThan(8);
});

it("makes other pairs with another seed", () => {
  expect(noises([0], 6).seen).not.toEqual(noises([0]).seen);
});

it("keeps as many tensors as fit and none after its end", () => {
  const before = numLiveTensors();
  const coupling = buffered(syntheticCoupling(2), 3, 1);
  const alive = steps(0, 8).map((number) => {
    scope(() => {
      using generator = new Generator(0);
      coupling.couple(syntheticBatch(number), undefined, generator);
    });
    return numLiveTensors() - before;
  });
  expect(alive).toEqual([2, 4, 6, 6, 6, 6, 6, 6]);
  coupling.dispose();
  expect(numLiveTensors()).toBe(before);
});

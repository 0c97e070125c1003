import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchNumber } from "./batch-order.js";

const reuses = fc.record({
  numUses: fc.integer({ min: 2, max: 6 }),
  numBatches: fc.integer({ min: 1, max: 9 }),
  seed: fc.nat(),
});

const numbersOf = (steps: number, reuse: Parameters<typeof batchNumber>[1]): number[] =>
  Array.from({ length: steps }, (_, step) => batchNumber(step, reuse));

describe("batchNumber", () => {
  it("is the step without reuse, and with one use of each batch", () => {
    expect(numbersOf(20, undefined)).toEqual(Array.from({ length: 20 }, (_, step) => step));
    expect(numbersOf(20, { numUses: 1, numBatches: 4, seed: 3 })).toEqual(numbersOf(20, undefined));
  });

  it("gives every batch of a block exactly as often as it is used, and every batch to one block", () => {
    fc.assert(
      fc.property(reuses, fc.nat(5), (reuse, block) => {
        const { numUses, numBatches } = reuse;
        const length = numUses * numBatches;
        const numbers = numbersOf((block + 1) * length, reuse).slice(block * length);
        const expected = Array.from({ length }, (_, i) => block * numBatches + Math.floor(i / numUses));
        expect(numbers.sort((a, b) => a - b)).toEqual(expected);
      }),
    );
  });

  it("passes a block in order first, and every later time as a permutation of it", () => {
    fc.assert(
      fc.property(reuses, fc.nat(5), (reuse, block) => {
        const { numUses, numBatches } = reuse;
        const numbers = numbersOf((block + 1) * numUses * numBatches, reuse).slice(block * numUses * numBatches);
        const inOrder = Array.from({ length: numBatches }, (_, i) => block * numBatches + i);
        expect(numbers.slice(0, numBatches)).toEqual(inOrder);
        for (let pass = 1; pass < numUses; pass++) {
          const again = numbers.slice(pass * numBatches, (pass + 1) * numBatches);
          expect(again.sort((a, b) => a - b)).toEqual(inOrder);
        }
      }),
    );
  });

  it("takes another order at each pass of each block, and with each seed", () => {
    const reuse = { numUses: 3, numBatches: 20, seed: 1 };
    const numbers = numbersOf(2 * 60, reuse).map((number) => number % 20);
    const passes = [1, 2, 4, 5].map((pass) => numbers.slice(pass * 20, (pass + 1) * 20).join());
    expect(new Set([...passes, numbers.slice(0, 20).join()]).size).toBe(5);
    expect(numbersOf(60, { ...reuse, seed: 2 })).not.toEqual(numbersOf(60, reuse));
  });

  it("depends on its arguments alone, in whatever order steps are asked for", () => {
    fc.assert(
      fc.property(reuses, fc.uniqueArray(fc.nat(500), { maxLength: 30 }), (reuse, steps) => {
        const numbers = numbersOf(501, reuse);
        expect(steps.map((step) => batchNumber(step, { ...reuse }))).toEqual(steps.map((step) => numbers[step]));
      }),
    );
  });
});

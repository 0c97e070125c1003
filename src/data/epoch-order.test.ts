import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchSampler } from "./batch-sampler.js";
import { epochOrder } from "./epoch-order.js";

const SEED = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
const EPOCH = fc.nat({ max: 10_000 });
const SIZES = fc.record({
  numFrames: fc.integer({ min: 1, max: 300 }),
  batchSize: fc.integer({ min: 1, max: 400 }),
  seed: SEED,
});

describe("the order of an epoch", () => {
  it("is a permutation of all frames", () => {
    fc.assert(
      fc.property(fc.nat({ max: 500 }), SEED, EPOCH, (numFrames, seed, epoch) => {
        expect([...epochOrder(numFrames, seed, epoch).sort()]).toEqual(Array.from({ length: numFrames }, (_, i) => i));
      }),
    );
  });

  it("depends on nothing but its arguments, and on each of them", () => {
    fc.assert(
      fc.property(SEED, EPOCH, (seed, epoch) => {
        const order = epochOrder(200, seed, epoch);
        expect(epochOrder(200, seed, epoch)).toEqual(order);
        expect(epochOrder(200, seed, epoch + 1)).not.toEqual(order);
        expect(epochOrder(200, seed + 1, epoch)).not.toEqual(order);
      }),
    );
  });

  it("stays what it was, so that old runs can be resumed", () => {
    expect([...epochOrder(10, 1000, 0)]).toMatchInlineSnapshot(`
      [
        5,
        2,
        1,
        3,
        7,
        8,
        6,
        9,
        4,
        0,
      ]
    `);
    expect([...epochOrder(10, 1000, 1)]).toMatchInlineSnapshot(`
      [
        5,
        8,
        3,
        0,
        4,
        1,
        2,
        6,
        7,
        9,
      ]
    `);
  });

  it("puts every frame in every place equally often", () => {
    const [size, numEpochs] = [6, 6000];
    const counts = new Float64Array(size * size);
    for (let epoch = 0; epoch < numEpochs; epoch++) {
      for (const [place, frame] of epochOrder(size, 7, epoch).entries()) counts[place * size + frame]! += 1;
    }
    const expected = numEpochs / size;
    const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 25 degrees of freedom: larger than 52.6 once in a thousand.
    expect(chiSquared).toBeLessThan(52.6);
  });
});

describe("the batches of an epoch", () => {
  it("hold every frame once, in the epoch's order, the last batch being short", () => {
    fc.assert(
      fc.property(SIZES, fc.nat({ max: 50 }), (options, epoch) => {
        const sampler = new BatchSampler(options);
        const { numBatchesPerEpoch } = sampler;
        const batches = Array.from({ length: numBatchesPerEpoch }, (_, i) => [
          ...sampler.indices(epoch * numBatchesPerEpoch + i),
        ]);
        expect(batches.flat()).toEqual([...epochOrder(options.numFrames, options.seed, epoch)]);
        for (const batch of batches.slice(0, -1)) expect(batch).toHaveLength(options.batchSize);
        expect(batches.at(-1)?.length).toBeGreaterThan(0);
      }),
    );
  });

  it("are the same whatever was asked for before", () => {
    fc.assert(
      fc.property(SIZES, fc.array(fc.nat({ max: 2000 }), { maxLength: 8 }), (options, steps) => {
        const sampler = new BatchSampler(options);
        for (const step of steps) expect(sampler.indices(step)).toEqual(new BatchSampler(options).indices(step));
      }),
    );
  });

  it("belong to the epoch that their step falls into", () => {
    const sampler = new BatchSampler({ numFrames: 10, batchSize: 4, seed: 0 });
    expect(sampler.numBatchesPerEpoch).toBe(3);
    expect([0, 2, 3, 8, 9].map((step) => sampler.epochOf(step))).toEqual([0, 0, 1, 2, 3]);
    expect(sampler.indices(2)).toHaveLength(2);
  });

  it("refuse settings that cannot be used, naming each", () => {
    expect(() => new BatchSampler({ numFrames: 0, batchSize: 1.5, seed: Number.NaN })).toThrow(
      "BatchSampler: 3 problems\n" +
        "  - numFrames: expected a whole number from 1 to 4294967295, got 0\n" +
        "  - batchSize: expected a whole number from 1 to 4294967295, got 1.5\n" +
        "  - seed: expected a whole number from -9007199254740991 to 9007199254740991, got NaN",
    );
    expect(() => new BatchSampler({ numFrames: 3, batchSize: 1, seed: 0 }).indices(-1)).toThrow(
      "BatchSampler.indices: expected step to be a whole number of at least 0, got -1",
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { ones, tensor } from "../../torch/index.js";
import { entryWeights, unpaddedWeights } from "../index.js";

const SIZES = { chunkSize: 5, actionDim: 3, maxActionDim: 8 };
const sumOf = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);

describe("entryWeights", () => {
  it("is exactly 1 everywhere where nothing is said", () => {
    const weights = entryWeights(SIZES);
    expect(weights).toMatchObject({ dtype: "float32", shape: [5, 8] });
    expect(weights.toNumbers()).toEqual(Array<number>(40).fill(1));
    expect(entryWeights({ ...SIZES, paddedShare: null, executedWeight: 3 }).toNumbers()).toEqual(
      Array<number>(40).fill(1),
    );
  });

  it("gives padded dimensions their share, executed steps their weight, and all together a mean of 1", () => {
    const sizes = fc
      .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }))
      .chain(([chunkSize, actionDim, numPadded]) =>
        fc.record({
          chunkSize: fc.constant(chunkSize),
          actionDim: fc.constant(actionDim),
          maxActionDim: fc.constant(actionDim + numPadded),
          numExecuted: fc.integer({ min: 1, max: chunkSize }),
          executedWeight: fc.double({ min: 0.1, max: 20, noNaN: true }),
          paddedShare: fc.double({ min: 0, max: 0.95, noNaN: true }),
        }),
      );
    fc.assert(
      fc.property(sizes, (options) => {
        const weights = entryWeights(options).toNumbers();
        const { chunkSize, maxActionDim: width } = options;
        const total = sumOf(weights);
        expect(total / weights.length).toBeCloseTo(1, 4);
        const padded = weights.filter((_, i) => i % width >= options.actionDim);
        expect(sumOf(padded) / total).toBeCloseTo(options.paddedShare, 4);
        const ofStep = (step: number): number => sumOf(weights.slice(step * width, (step + 1) * width));
        for (let step = 0; step < chunkSize; step++) {
          const expected = step < options.numExecuted ? options.executedWeight : 1;
          expect(ofStep(step) / ofStep(chunkSize - 1)).toBeCloseTo(options.numExecuted === chunkSize ? 1 : expected, 3);
        }
      }),
    );
  });

  it("leaves padded dimensions out with a share of 0, and takes any share where there are none", () => {
    const [first] = [entryWeights({ ...SIZES, paddedShare: 0 }).toNumbers()];
    expect(first.slice(0, 8).map((w) => w > 0)).toEqual([true, true, true, false, false, false, false, false]);
    const full = entryWeights({ ...SIZES, actionDim: 8, paddedShare: 0.3 }).toNumbers();
    expect(full).toEqual(Array<number>(40).fill(1));
  });

  it.each([
    [{ chunkSize: 0 }, "chunkSize to be an integer of at least 1, got 0"],
    [{ maxActionDim: 2.5 }, "maxActionDim to be an integer of at least 1, got 2.5"],
    [{ actionDim: 9 }, "actionDim to be an integer from 1 to 8, got 9"],
    [{ numExecuted: 6 }, "numExecuted to be an integer from 1 to 5, got 6"],
    [{ executedWeight: 0 }, "executedWeight to be a number above 0, got 0"],
    [{ paddedShare: 1 }, "paddedShare to be a share from 0 to below 1, got 1"],
  ])("refuses %j", (change, text) => {
    expect(() => entryWeights({ ...SIZES, ...change })).toThrow(
      new ConfigError("flow.entryWeights", `expected ${text}`),
    );
  });
});

describe("unpaddedWeights", () => {
  const isPad = tensor([0, 0, 1, 0, 1, 1], [2, 3], "bool");

  it("keeps the weights of steps within the episode and makes the others 0, sample by sample", () => {
    expect(unpaddedWeights(isPad)).toMatchObject({ dtype: "float32", shape: [2, 3, 1] });
    expect(unpaddedWeights(isPad).toNumbers()).toEqual([1, 1, 0, 1, 0, 0]);
    const weights = unpaddedWeights(isPad, tensor([1, 2, 3, 4, 5, 6], [3, 2]));
    expect(weights.shape).toEqual([2, 3, 2]);
    expect(weights.toNumbers()).toEqual([1, 2, 3, 4, 0, 0, 1, 2, 0, 0, 0, 0]);
  });

  it("refuses what is no mask, and weights that do not fit it", () => {
    expect(() => unpaddedWeights(ones([2, 3]))).toThrow(
      new ShapeError("flow.unpaddedWeights: expected a mask bool[B, A], got float32[2, 3]"),
    );
    expect(() => unpaddedWeights(isPad, ones([4, 2]))).toThrow(
      new ShapeError("flow.unpaddedWeights: expected weights that broadcast to [3, 2] or [2, 3, 2], got [4, 2]"),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { numLiveTensors, ones, tensor, zeros } from "../../torch/index.js";
import { snap } from "../index.js";

const [B, A, M, REAL] = [4, 3, 3, 2];

/** The generated actions are 0; the demonstrated ones differ as said in each real and in each padded entry. */
function given(differences: readonly { real: number; padded: number; numPadSteps: number }[]) {
  const demonstrated = differences.flatMap(({ real, padded }) =>
    Array.from({ length: A * M }, (_, i) => (i % M < REAL ? real : padded)),
  );
  const isPad = differences.flatMap(({ numPadSteps }) =>
    Array.from({ length: A }, (_, step) => (step >= A - numPadSteps ? 1 : 0)),
  );
  const numSamples = differences.length;
  return {
    generated: zeros([numSamples, A, M]),
    demonstrated: tensor(demonstrated, [numSamples, A, M]),
    isPad: tensor(isPad, [numSamples, A], "bool"),
    numReal: REAL,
  };
}

describe("snap", () => {
  it("takes near demonstrations in real dimensions and steps within the episode, else what was generated", () => {
    const options = given([
      { real: 0.1, padded: 9, numPadSteps: 0 },
      { real: 0.3, padded: 0, numPadSteps: 0 },
      { real: 0.1, padded: 0, numPadSteps: 1 },
      { real: 0.1, padded: 0, numPadSteps: A },
    ]);
    const { actions, isSnapped, distance } = snap({ ...options, epsilon: 0.2 });
    expect(isSnapped.toNumbers()).toEqual([1, 0, 1, 0]);
    for (const [i, expected] of [0.1, 0.3, 0.1, 0].entries()) expect(distance.toNumbers()[i]).toBeCloseTo(expected, 6);
    const expected = Array.from({ length: B * A * M }, (_, i) => {
      const [sample, step, dim] = [Math.floor(i / (A * M)), Math.floor(i / M) % A, i % M];
      const isTaken = dim < REAL && (sample === 0 || (sample === 2 && step < 2));
      return isTaken ? Math.fround(0.1) : 0;
    });
    expect(actions.toNumbers()).toEqual(expected);
  });

  it("measures the root mean square distance over what counts, whatever lies in padded entries", () => {
    const difference = fc.double({ min: -2, max: 2, noNaN: true });
    const sample = fc.record({ real: difference, padded: difference, numPadSteps: fc.integer({ min: 0, max: A - 1 }) });
    fc.assert(
      fc.property(
        fc.array(sample, { minLength: 1, maxLength: 5 }),
        fc.double({ min: 0.01, max: 2, noNaN: true }),
        (samples, epsilon) => {
          const { isSnapped, distance } = snap({ ...given(samples), epsilon });
          for (const [i, { real }] of samples.entries()) {
            expect(distance.toNumbers()[i]).toBeCloseTo(Math.abs(real), 5);
            if (Math.abs(Math.abs(real) - epsilon) > 1e-5) {
              expect(isSnapped.toNumbers()[i]).toBe(Math.abs(real) < epsilon ? 1 : 0);
            }
          }
        },
      ),
    );
  });

  it("leaves its three results alive and nothing else, and its inputs unchanged", () => {
    const options = given([{ real: 0.1, padded: 0, numPadSteps: 0 }]);
    const before = numLiveTensors();
    const snapped = snap({ ...options, epsilon: 1 });
    expect(numLiveTensors()).toBe(before + 3);
    for (const result of Object.values(snapped)) result.dispose();
    expect(options.generated.toNumbers()).toEqual(Array<number>(A * M).fill(0));
  });

  const options = { ...given([{ real: 0.1, padded: 0, numPadSteps: 0 }]), epsilon: 1 };
  it.each([
    [
      { demonstrated: zeros([1, A, 2]) },
      "generated and demonstrated actions of one shape [B, A, M], got [1, 3, 3] and [1, 3, 2]",
    ],
    [{ isPad: ones([1, A]) }, "isPad to be bool[1, 3], got float32[1, 3]"],
    [{ isPad: ones([1, 2], "bool") }, "isPad to be bool[1, 3], got bool[1, 2]"],
    [{ numReal: 4 }, "from 1 to 3 real dimensions, got 4"],
  ])("refuses what does not fit (%#)", (change, text) => {
    expect(() => snap({ ...options, ...change })).toThrow(new ShapeError(`flow.snap: expected ${text}`));
  });

  it("refuses an epsilon of 0", () => {
    expect(() => snap({ ...options, epsilon: 0 })).toThrow(
      new ConfigError("flow.snap", "expected epsilon to be a number above 0, got 0"),
    );
  });
});

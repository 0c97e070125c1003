import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { ones, tensor } from "../../torch/index.js";
import { pairDistance, truncateFar } from "../index.js";

describe("truncateFar", () => {
  const pair = fc.record({
    distance: fc.double({ min: 0, max: 100, noNaN: true }),
    group: fc.constantFrom("pick", "place", "wipe"),
  });

  it("drops of every group its share, rounded down, and those the farthest", () => {
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 60 }), fc.integer({ min: 0, max: 99 }), (pairs, percent) => {
        const weights = truncateFar(
          pairs.map(({ distance }) => distance),
          pairs.map(({ group }) => group),
          percent / 100,
        );
        for (const group of new Set(pairs.map((p) => p.group))) {
          const members = pairs.flatMap((p, i) => (p.group === group ? [i] : []));
          const [kept, dropped] = [1, 0].map((weight) => members.filter((i) => weights[i] === weight));
          expect(dropped!.length).toBe(Math.floor((members.length * percent) / 100));
          expect(kept!.length + dropped!.length).toBe(members.length);
          const farthestKept = Math.max(...kept!.map((i) => pairs[i]!.distance));
          for (const i of dropped!) expect(pairs[i]!.distance).toBeGreaterThanOrEqual(farthestKept);
        }
      }),
    );
  });

  it("never empties a group, though all of its pairs are farther than any other", () => {
    const distances = [1, 2, 3, 4, 100, 200];
    expect(truncateFar(distances, ["a", "a", "a", "a", "b", "b"], 0.5)).toEqual([1, 1, 0, 0, 1, 0]);
    expect(truncateFar(distances, [0, 0, 0, 0, 0, 0], 0.34)).toEqual([1, 1, 1, 1, 0, 0]);
  });

  it("drops the later of equally far pairs", () => expect(truncateFar([5, 5, 5], [0, 0, 0], 0.4)).toEqual([1, 1, 0]));

  it("refuses what makes no sense", () => {
    expect(() => truncateFar([1], [0], 1)).toThrow(
      new ConfigError("flow.truncateFar", "expected share to be a share from 0 to below 1, got 1"),
    );
    expect(() => truncateFar([1, 2], [0], 0.1)).toThrow(
      new ShapeError("flow.truncateFar: expected one group for each of 2 pairs, got 1"),
    );
    expect(() => truncateFar([Number.NaN], [0], 0.1)).toThrow(
      new ConfigError("flow.truncateFar", "expected a distance to be a finite number, got NaN"),
    );
  });
});

describe("pairDistance", () => {
  const noise = tensor([0, 0, 9, 0, 0, 9], [2, 1, 3]);
  const actions = tensor([3, 4, 9, 0, 1, 0], [2, 1, 3]);

  it("is the norm of the difference over all dimensions, or the first", () => {
    expect(pairDistance(noise, actions).toNumbers()[0]).toBeCloseTo(5, 6);
    expect(pairDistance(noise, actions).toNumbers()[1]).toBeCloseTo(Math.sqrt(82), 5);
    expect(pairDistance(noise, actions, 2).toNumbers()[1]).toBeCloseTo(1, 6);
  });

  it("refuses other shapes and dimensions that are not there", () => {
    expect(() => pairDistance(noise, ones([2, 1, 1]))).toThrow(
      new ShapeError(
        "flow.pairDistance: expected noise and actions of one shape [B, A, M], got [2, 1, 3] and [2, 1, 1]",
      ),
    );
    expect(() => pairDistance(noise, actions, 4)).toThrow(
      new ShapeError("flow.pairDistance: expected from 1 to 3 dimensions, got 4"),
    );
  });
});

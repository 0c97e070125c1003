import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { seededNumbers } from "../statistics/seeded-numbers.js";
import { assign } from "./assign.js";
import { chamferDistances } from "./chamfer-distances.js";
import { exactWasserstein } from "./exact-wasserstein.js";
import { maximumMeanDiscrepancy } from "./maximum-mean-discrepancy.js";
import { slicedWasserstein } from "./sliced-wasserstein.js";
import { splitDistance } from "./split-distance.js";

/** Chunks `[O, K, 1, M]` of given numbers. */
const chunks = (numbers: readonly number[], O: number, M: number): HostArray =>
  hostArray("float32", [O, numbers.length / (O * M), 1, M], Float32Array.from(numbers));

/** Standard normal chunks `[O, K, 1, M]`, mapped. */
function normal(seed: number, map: (z: number) => number, { O = 8, K = 256, M = 1 } = {}): HostArray {
  const random = seededNumbers("test", seed);
  return chunks(
    Array.from({ length: O * K * M }, () => map(random.normal())),
    O,
    M,
  );
}

/** The mean of independent values, and its standard error. */
function meanAndError(values: readonly number[]): readonly [mean: number, error: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return [mean, Math.sqrt(squares / (values.length * (values.length - 1)))];
}

const mapped = ({ dtype, shape, data }: HostArray, map: (value: number, i: number) => number): HostArray =>
  hostArray(dtype, shape, (data as Float32Array).map(map));

const number = fc.double({ min: -8, max: 8, noNaN: true }).map(Math.fround);
/** Two or three sets of K chunks `[1, K, 1, M]`. */
const sets = (count: number, maxK = 6) =>
  fc
    .tuple(fc.integer({ min: 1, max: maxK }), fc.integer({ min: 1, max: 3 }))
    .chain(([K, M]) =>
      fc.tuple(
        ...Array.from({ length: count }, () =>
          fc.array(number, { minLength: K * M, maxLength: K * M }).map((numbers) => chunks(numbers, 1, M)),
        ),
      ),
    ) as fc.Arbitrary<HostArray[]>;

function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, at) => [...rest.slice(0, at), n - 1, ...rest.slice(at)]),
  );
}

const costOf = (cost: ArrayLike<number>, n: number, columns: ArrayLike<number>): number =>
  Array.from(columns).reduce((sum, column, row) => sum + cost[row * n + column]!, 0);

describe("assign", () => {
  it("gives every row a column of its own at the least cost of all ways, with equal and negative costs too", () => {
    const costs = fc
      .integer({ min: 1, max: 6 })
      .chain((n) =>
        fc.array(fc.oneof(fc.integer({ min: -3, max: 3 }), number), { minLength: n * n, maxLength: n * n }),
      );
    fc.assert(
      fc.property(costs, (cost) => {
        const n = Math.sqrt(cost.length);
        const columns = assign(Float64Array.from(cost), n);
        expect([...columns].sort()).toEqual(Array.from({ length: n }, (_, i) => i));
        const least = Math.min(...permutations(n).map((permutation) => costOf(cost, n, permutation)));
        expect(costOf(cost, n, columns)).toBeCloseTo(least, 9);
      }),
      { numRuns: 300 },
    );
  });

  it("sorts: squared distances of numbers on a line are least in order", () => {
    const random = seededNumbers("test", 1);
    const n = 200;
    const [x, y] = [0, 1].map(() => Float64Array.from({ length: n }, random.normal));
    const cost = Float64Array.from({ length: n * n }, (_, i) => (x![Math.floor(i / n)]! - y![i % n]!) ** 2);
    const [sortedX, sortedY] = [x!.slice().sort(), y!.slice().sort()];
    const least = sortedX.reduce((sum, value, i) => sum + (value - sortedY[i]!) ** 2, 0);
    expect(costOf(cost, n, assign(cost, n))).toBeCloseTo(least, 9);
  });
});

describe("the exact Wasserstein distance", () => {
  it("of a shift is its length over the root of the number of entries, whatever the order of samples", () => {
    const x = normal(1, (z) => z, { O: 3, K: 40, M: 4 });
    const moved = mapped(x, (value, i) => value + [3, 0, -4, 0][i % 4]!);
    const [O, K, , M] = moved.shape as [number, number, number, number];
    const reversed = mapped(moved, (_, i) => {
      const [o, k, m] = [Math.floor(i / (K * M)), Math.floor(i / M) % K, i % M];
      return Number(moved.data[(o * K + (K - 1 - k)) * M + m]);
    });
    expect(O).toBe(3);
    expect(exactWasserstein(x, moved)).toBeCloseTo(5 / 2, 6);
    expect(exactWasserstein(x, reversed)).toBeCloseTo(5 / 2, 6);
    expect(exactWasserstein(x, x)).toBe(0);
  });

  it("equals the sliced one in one dimension, and approaches that of two normal distributions", () => {
    const [x, y] = [normal(2, (z) => 0.5 * z + 1), normal(3, (z) => z)];
    const exact = exactWasserstein(x, y);
    expect(exact).toBeCloseTo(slicedWasserstein(x, y, { seed: 0, numProjections: 1 }), 6);
    expect(exact).toBeCloseTo(Math.sqrt(1 + 0.25), 1);
  });

  it("is a metric of sets", () => {
    fc.assert(
      fc.property(sets(3), ([x, y, z]) => {
        const [xy, yz, xz] = [exactWasserstein(x!, y!), exactWasserstein(y!, z!), exactWasserstein(x!, z!)];
        expect(xz).toBeLessThanOrEqual(xy + yz + 1e-9);
        expect(exactWasserstein(y!, x!)).toBeCloseTo(xy, 9);
        expect(exactWasserstein(x!, x!)).toBe(0);
      }),
    );
  });

  it("refuses other numbers of samples, and more than 256", () => {
    const [few, more, many] = [2, 3, 257].map((K) => normal(1, (z) => z, { O: 1, K }));
    expect(() => exactWasserstein(few!, more!)).toThrow(ShapeError);
    expect(() => exactWasserstein(few!, more!)).toThrow(
      "eval.exactWasserstein: expected as many samples as reference samples, got 2, 3",
    );
    expect(() => exactWasserstein(many!, many!)).toThrow(ConfigError);
    expect(() => exactWasserstein(many!, many!)).toThrow(
      "expected at most 256 samples, got 257. Use slicedWasserstein",
    );
  });
});

describe("the maximum mean discrepancy", () => {
  /** `E exp(-d^2 / (2 w^2))` of a difference d that is N(mean, variance), averaged over the three widths. */
  const expectedKernel = (mean: number, variance: number, median: number): number =>
    [0.5, 1, 2]
      .map((factor) => (factor * median) ** 2)
      .reduce((sum, w2) => sum + Math.sqrt(w2 / (w2 + variance)) * Math.exp(-(mean ** 2) / (2 * (w2 + variance))), 0) /
    3;
  /** of two standard normal numbers' distance */
  const MEDIAN = 0.674489750196 * Math.SQRT2;

  it.each([
    [0, 1],
    [1, 1],
    [0, 0.3],
    [-2, 2],
  ])("is that of a standard normal distribution and N(%d, %d^2)", (mean, spread) => {
    const expected =
      expectedKernel(0, 2 * spread ** 2, MEDIAN) +
      expectedKernel(0, 2, MEDIAN) -
      2 * expectedKernel(mean, 1 + spread ** 2, MEDIAN);
    const drawn = Array.from(
      { length: 64 },
      (_, i) =>
        maximumMeanDiscrepancy(
          normal(1000 + 2 * i, (z) => mean + spread * z, { O: 1, K: 128 }),
          normal(1001 + 2 * i, (z) => z, { O: 1, K: 128 }),
        )!,
    );
    const [average, error] = meanAndError(drawn);
    expect(Math.abs(average - expected)).toBeLessThan(4 * error);
    expect(error).toBeLessThan(0.01);
    if (mean !== 0 || spread !== 1) expect(expected).toBeGreaterThan(0.1);
  });

  it("is 0 on average for few samples of one distribution: below it as well as above", () => {
    const drawn = Array.from(
      { length: 400 },
      (_, seed) =>
        maximumMeanDiscrepancy(
          normal(2 * seed, (z) => z, { O: 1, K: 6 }),
          normal(2 * seed + 1, (z) => z, { O: 1, K: 6 }),
        )!,
    );
    const [average, error] = meanAndError(drawn);
    expect(Math.abs(average)).toBeLessThan(4 * error);
    expect(Math.min(...drawn)).toBeLessThan(0);
  });

  it("does not change with the unit or the place", () => {
    const [x, y] = [normal(6, (z) => 0.5 * z), normal(7, (z) => z)];
    const there = (array: HostArray): HostArray => mapped(array, (value) => 4 * value);
    expect(maximumMeanDiscrepancy(there(x), there(y))).toBeCloseTo(maximumMeanDiscrepancy(x, y)!, 12);
  });

  it("is undefined where the reference's samples are all the same", () => {
    const [x, y] = [normal(8, (z) => z), normal(9, () => 2)];
    expect(maximumMeanDiscrepancy(x, y)).toBeUndefined();
    expect(splitDistance(x, y, maximumMeanDiscrepancy, 0)).toBeUndefined();
    expect(maximumMeanDiscrepancy(y, x)).toBeGreaterThan(0.1);
  });

  it("refuses a single sample", () => {
    const one = normal(1, (z) => z, { O: 1, K: 1 });
    expect(() => maximumMeanDiscrepancy(one, one)).toThrow(
      "expected at least 2 noises per observation in samples, got 1",
    );
  });
});

describe("the Chamfer distances", () => {
  it("are mean distances to the nearest of the other side, over the root of the number of entries", () => {
    fc.assert(
      fc.property(sets(2, 8), ([x, y]) => {
        const M = x!.shape[3]!;
        const rows = ({ data }: HostArray): number[][] =>
          Array.from({ length: data.length / M }, (_, k) =>
            Array.from((data as Float32Array).slice(k * M, (k + 1) * M)),
          );
        const nearest = (from: number[], others: number[][]): number =>
          Math.min(...others.map((other) => Math.hypot(...other.map((value, i) => value - from[i]!))));
        const mean = (from: number[][], others: number[][]): number =>
          from.reduce((sum, row) => sum + nearest(row, others), 0) / (from.length * Math.sqrt(M));
        const { toReference, toSamples } = chamferDistances(x!, y!);
        expect(toReference).toBeCloseTo(mean(rows(x!), rows(y!)), 9);
        expect(toSamples).toBeCloseTo(mean(rows(y!), rows(x!)), 9);
      }),
    );
  });

  it("tell a policy that leaves ways out from one that goes where nobody goes", () => {
    const ways = chunks([-1, -1, 1, 1], 1, 1);
    expect(chamferDistances(chunks([1, 1, 1, 1], 1, 1), ways)).toEqual({ toReference: 0, toSamples: 1 });
    expect(chamferDistances(chunks([-1, 1, 5], 1, 1), ways)).toEqual({ toReference: 4 / 3, toSamples: 0 });
  });

  it("never look at another observation", () => {
    const [x, y] = [chunks([0, 0, 1, 1], 2, 1), chunks([1, 1, 0, 0], 2, 1)];
    expect(chamferDistances(x, y)).toEqual({ toReference: 1, toSamples: 1 });
  });

  it("have a zero level: a copy from the same noises is no distance at all, and its excess is 0", () => {
    const x = normal(10, (z) => z, { K: 64 });
    const { zeroLevel, excess } = splitDistance(x, x, (a, b) => chamferDistances(a, b).toSamples, 0)!;
    expect(excess).toBe(0);
    expect(zeroLevel).toBeGreaterThan(0.01);
  });
});

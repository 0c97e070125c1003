import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../../support/errors.js";
import {
  Generator,
  grad,
  mul,
  numLiveTensors,
  ones,
  sum,
  type Tensor,
  tensor,
  toDtype,
  zeros,
} from "../../torch/index.js";
import {
  DISTANCE_NAMES,
  l2,
  meanLoss,
  perSampleLoss,
  sampleNoise,
  unpaddedWeights,
  velocityDistance,
  velocityLoss,
} from "../index.js";

const [B, A, M] = [3, 4, 2];
const generator = new Generator(1);
const draw = (): Tensor => toDtype(sampleNoise([B, A, M], generator), "float64");
const [predicted, target] = [draw(), draw()];
const distances = DISTANCE_NAMES.map((kind) => velocityDistance({ kind }));

/** The residual of one entry. */
const residuals = predicted.toNumbers().map((x, i) => x - target.toNumbers()[i]!);
const residual = (b: number, a: number, m: number): number => residuals[(b * A + a) * M + m]!;

/** The weighted mean square of one sample's entries in plain numbers. */
function plainMeanSquare(b: number, weight: (a: number, m: number) => number): number {
  let [sumOfSquares, sumOfWeights] = [0, 0];
  for (let a = 0; a < A; a++) {
    for (let m = 0; m < M; m++) {
      sumOfSquares += weight(a, m) * residual(b, a, m) ** 2;
      sumOfWeights += weight(a, m);
    }
  }
  return sumOfSquares / sumOfWeights;
}

describe("perSampleLoss", () => {
  it("has the mean that velocityLoss has, without weights and with equal ones of any size", () => {
    const whole = velocityLoss(predicted, target).item();
    for (const weights of [
      undefined,
      ones([A, M]),
      mul(ones([B, A, M]), tensor([7.5])),
      ones([1, 1]),
      ones([B, A, 1]),
    ]) {
      expect(meanLoss(perSampleLoss(predicted, target, { distance: l2, weights })).item()).toBeCloseTo(whole, 12);
    }
  });

  it.each(distances)("of $name does not change with equal weights", (distance) => {
    const plain = perSampleLoss(predicted, target, { distance }).toNumbers();
    const weighted = perSampleLoss(predicted, target, { distance, weights: mul(ones([A, M]), tensor([0.2])) });
    for (const [i, loss] of weighted.toNumbers().entries()) expect(loss).toBeCloseTo(plain[i]!, 6);
  });

  it("is a weighted mean in each sample, of which only the proportions count", () => {
    const weight = fc.integer({ min: 0, max: 9 });
    fc.assert(
      fc.property(fc.array(weight, { minLength: A * M, maxLength: A * M }), (list) => {
        fc.pre(list.some((w) => w > 0));
        for (const scale of [1, 4]) {
          const weights = tensor(
            list.map((w) => scale * w),
            [A, M],
          );
          const losses = perSampleLoss(predicted, target, { distance: l2, weights }).toNumbers();
          for (let b = 0; b < B; b++)
            expect(losses[b]).toBeCloseTo(
              plainMeanSquare(b, (a, m) => list[a * M + m]!),
              6,
            );
        }
      }),
      { numRuns: 30 },
    );
  });

  it.each(distances)("of $name with weights of 0 and 1 is that of the entries with weight alone", (distance) => {
    const weights = tensor([1, 0, 1, 0, 1, 0, 1, 0], [A, M]);
    const narrow = (x: Tensor): Tensor =>
      tensor(
        x.toNumbers().filter((_, i) => i % M === 0),
        [B, A, 1],
        "float64",
      );
    const expected = perSampleLoss(narrow(predicted), narrow(target), { distance }).toNumbers();
    const losses = perSampleLoss(predicted, target, { distance, weights }).toNumbers();
    for (const [b, loss] of losses.entries()) expect(loss).toBeCloseTo(expected[b]!, 6);
  });

  it.each(distances)(
    "of $name gives a sample without weight a loss and a gradient of 0, and others theirs",
    (distance) => {
      const leaf = draw();
      leaf.requiresGrad = true;
      const isPad = tensor([0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1], [B, A], "bool");
      const losses = perSampleLoss(leaf, target, { distance, weights: unpaddedWeights(isPad), smoothness: 0.1 });
      expect(losses.toNumbers().map((loss) => loss > 0)).toEqual([true, false, true]);
      expect(losses.toNumbers()[1]).toBe(0);
      const [gradient] = grad(sum(losses), [leaf]);
      const isMoved = gradient!.toNumbers().map((g) => g !== 0);
      expect(gradient!.toNumbers().every(Number.isFinite)).toBe(true);
      expect(isMoved).toEqual(isPad.toNumbers().flatMap((pad) => Array<boolean>(M).fill(pad === 0)));
    },
  );

  it("adds beta times the mean square of the residual's differences along the chunk", () => {
    const plain = perSampleLoss(predicted, target, { distance: l2 }).toNumbers();
    const smooth = perSampleLoss(predicted, target, { distance: l2, smoothness: 0.3 }).toNumbers();
    for (let b = 0; b < B; b++) {
      let jitter = 0;
      for (let a = 0; a + 1 < A; a++) {
        for (let m = 0; m < M; m++) jitter += (residual(b, a + 1, m) - residual(b, a, m)) ** 2;
      }
      expect(smooth[b]! - plain[b]!).toBeCloseTo((0.3 * jitter) / ((A - 1) * M), 6);
    }
  });

  it("does not punish a constant offset for jitter, nor a difference with a step without weight", () => {
    const offset = perSampleLoss(ones([1, A, M]), zeros([1, A, M]), { distance: l2, smoothness: 10 });
    expect(offset.item()).toBeCloseTo(1, 6);
    const stepped = tensor([0, 0, 0, 0, 1, 1, 1, 1], [1, A, M]);
    const isPad = tensor([0, 0, 1, 1], [1, A], "bool");
    const options = { distance: l2, smoothness: 10 };
    expect(perSampleLoss(stepped, zeros([1, A, M]), options).item()).toBeGreaterThan(1);
    expect(perSampleLoss(stepped, zeros([1, A, M]), { ...options, weights: unpaddedWeights(isPad) }).item()).toBe(0);
  });

  it("computes in float32 from narrower velocities, and leaves one tensor alive", () => {
    const narrow = toDtype(predicted, "bfloat16");
    const weights = ones([A, M]);
    const before = numLiveTensors();
    using losses = perSampleLoss(narrow, narrow, { distance: l2, weights, smoothness: 1 });
    expect(numLiveTensors()).toBe(before + 1);
    expect(losses).toMatchObject({ dtype: "float32", shape: [B] });
  });

  it("refuses shapes that do not fit", () => {
    expect(() => perSampleLoss(predicted, zeros([B, A, 1]), { distance: l2 })).toThrow(
      new ShapeError("flow.perSampleLoss: expected two velocities of one shape [B, A, M], got [3, 4, 2] and [3, 4, 1]"),
    );
    for (const shape of [[B], [M, A], [2, A, M], [1, B, A, M]]) {
      expect(() => perSampleLoss(predicted, target, { distance: l2, weights: ones(shape) })).toThrow(
        new ShapeError(
          `flow.perSampleLoss: expected weights that broadcast to [4, 2] or [3, 4, 2], got [${shape.join(", ")}]`,
        ),
      );
    }
  });

  it("refuses a smoothness below 0, and one of chunks that have a single step", () => {
    expect(() => perSampleLoss(predicted, target, { distance: l2, smoothness: -1 })).toThrow(
      new ConfigError("flow.perSampleLoss", "expected smoothness to be a number of at least 0, got -1"),
    );
    const single = ones([B, 1, M]);
    expect(perSampleLoss(single, single, { distance: l2 }).toNumbers()).toEqual([0, 0, 0]);
    expect(() => perSampleLoss(single, single, { distance: l2, smoothness: 0.1 })).toThrow(
      new ConfigError("flow.perSampleLoss", "expected chunks of at least 2 steps for a smoothness above 0, got 1"),
    );
  });
});

describe("meanLoss", () => {
  const losses = tensor([1, 2, 6]);

  it("is the mean, or the mean of the samples with weight", () => {
    expect(meanLoss(losses).item()).toBe(3);
    expect(meanLoss(losses, tensor([1, 0, 1])).item()).toBe(3.5);
    expect(meanLoss(losses, tensor([2, 2, 2])).item()).toBeCloseTo(3, 6);
    expect(meanLoss(losses, zeros([3])).item()).toBe(0);
  });

  it("refuses weights of another number", () => {
    expect(() => meanLoss(losses, ones([1]))).toThrow(
      new ShapeError("flow.meanLoss: expected one weight for each of the losses [B], got [1] and [3]"),
    );
  });
});

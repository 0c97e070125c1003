import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../support/errors.js";
import { grad, mean, scope, sum, type Tensor, tensor } from "../../torch/index.js";
import { DISTANCE_NAMES, l2, perSampleLoss, type VelocityDistance, velocityDistance, velocityLoss } from "../index.js";

const [A, M] = [3, 2];
const m = A * M;
const value = fc.double({ min: -3, max: 3, noNaN: true });
const chunk = fc.array(value, { minLength: m, maxLength: m });
const squaredNorm = (r: readonly number[]): number => r.reduce((total, x) => total + x ** 2, 0);

const chunkTensor = (values: readonly number[]): Tensor => tensor(values, [1, A, M], "float64");
const zeroChunk = (): Tensor => chunkTensor(Array<number>(m).fill(0));

/** The loss of one chunk with this residual, and its gradient. */
function lossAndGradient(distance: VelocityDistance, r: readonly number[]): { loss: number; gradient: number[] } {
  return scope(() => {
    const predicted = chunkTensor(r);
    predicted.requiresGrad = true;
    const loss = perSampleLoss(predicted, zeroChunk(), { distance });
    const [gradient] = grad(sum(loss), [predicted]);
    return { loss: loss.item(), gradient: gradient!.toNumbers() };
  });
}

const lossOf = (distance: VelocityDistance, r: readonly number[]): number => lossAndGradient(distance, r).loss;

/** Compares entry by entry, relative to the largest. */
function expectClose(actual: readonly number[], expected: readonly number[]): void {
  const size = Math.max(...expected.map(Math.abs), 1e-12);
  for (const [i, x] of expected.entries()) expect(Math.abs(actual[i]! - x) / size).toBeLessThan(1e-5);
}

describe.each(DISTANCE_NAMES)("the %s distance", (kind) => {
  const distance = velocityDistance({ kind });

  it("is 0 with a gradient of 0 where the velocities agree, and above 0 elsewhere", () => {
    const { loss, gradient } = lossAndGradient(distance, Array<number>(m).fill(0));
    expect(loss).toBe(0);
    expect(gradient.map(Math.abs)).toEqual(Array<number>(m).fill(0));
    fc.assert(
      fc.property(chunk, (r) => {
        fc.pre(squaredNorm(r) > 1e-6);
        expect(lossOf(distance, r)).toBeGreaterThan(0);
      }),
    );
  });

  it("has a gradient along the residual, so that every distance has the same minimiser on deterministic pairs", () => {
    fc.assert(
      fc.property(chunk, (r) => {
        fc.pre(squaredNorm(r) > 1e-6);
        const { gradient } = lossAndGradient(distance, r);
        const factor = gradient.reduce((total, g, i) => total + g * r[i]!, 0) / squaredNorm(r);
        expect(factor).toBeGreaterThan(0);
        expectClose(
          gradient,
          r.map((x) => factor * x),
        );
      }),
    );
  });
});

describe("l2", () => {
  it("is the mean square over all entries, with the gradient 2 r / m", () => {
    fc.assert(
      fc.property(chunk, (r) => {
        const { loss, gradient } = lossAndGradient(l2, r);
        expect(loss).toBeCloseTo(squaredNorm(r) / m, 10);
        expectClose(
          gradient,
          r.map((x) => (2 * x) / m),
        );
        expect(loss).toBeCloseTo(velocityLoss(chunkTensor(r), zeroChunk()).item(), 10);
      }),
    );
  });

  it("alone among the distances is smallest at the mean of targets that scatter", () => {
    // One prediction for a target of 0 three times and of 1 once, in every entry.
    const targets = tensor(
      [0, 0, 0, 1].flatMap((target) => Array<number>(m).fill(target)),
      [4, A, M],
      "float64",
    );
    const slopeAt = (kind: string, guess: number): number =>
      scope(() => {
        const predicted = tensor(Array<number>(4 * m).fill(guess), [4, A, M], "float64");
        predicted.requiresGrad = true;
        const [gradient] = grad(mean(perSampleLoss(predicted, targets, { distance: velocityDistance({ kind }) })), [
          predicted,
        ]);
        return sum(gradient!).item();
      });
    expect(slopeAt("l2", 0.25)).toBeCloseTo(0, 12);
    // The others still pull towards the majority there.
    expect(slopeAt("pseudo_huber", 0.25)).toBeGreaterThan(0.1);
    expect(slopeAt("adaptive", 0.25)).toBeGreaterThan(0.1);
  });
});

describe("pseudo_huber", () => {
  it("is (sqrt(|r|^2 + c^2) - c) / m with the gradient r / (m sqrt(|r|^2 + c^2)), c 0.00054 m unless said", () => {
    fc.assert(
      fc.property(chunk, fc.option(fc.double({ min: 0.01, max: 10, noNaN: true })), (r, huberC) => {
        const c = huberC ?? 0.00054 * m;
        const root = Math.sqrt(squaredNorm(r) + c ** 2);
        const { loss, gradient } = lossAndGradient(velocityDistance({ kind: "pseudo_huber", huberC }), r);
        expect(loss).toBeCloseTo((root - c) / m, 6);
        expectClose(
          gradient,
          r.map((x) => x / (m * root)),
        );
      }),
    );
  });

  it("becomes l2 / (2 c) as c grows, and the norm / m as c shrinks", () => {
    const r = [1, -2, 0.5, 0, 0.3, -0.7];
    const at = (huberC: number): number => lossOf(velocityDistance({ kind: "pseudo_huber", huberC }), r);
    expect((at(1e4) * 2e4) / (squaredNorm(r) / m)).toBeCloseTo(1, 6);
    expect((at(1e-7) * m) / Math.sqrt(squaredNorm(r))).toBeCloseTo(1, 6);
  });

  it("keeps its digits in float32 for residuals far below c", () => {
    const r = 1e-4;
    const loss = scope(() => {
      const velocities = [r, 0].map((x) => tensor(Array<number>(m).fill(x), [1, A, M])) as [Tensor, Tensor];
      return perSampleLoss(...velocities, { distance: velocityDistance({ kind: "pseudo_huber", huberC: 5 }) }).item();
    });
    expect(loss / (r ** 2 / 10)).toBeCloseTo(1, 5);
  });
});

describe("adaptive", () => {
  it("is m^(p-1) |r|^2 / (|r|^2 + c)^p, with the gradient 2 m^(p-1) r / (|r|^2 + c)^p of a detached divisor", () => {
    const power = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(chunk, power, fc.double({ min: 1e-3, max: 1, noNaN: true }), (r, p, c) => {
        const distance = velocityDistance({ kind: "adaptive", adaptivePower: p, adaptiveC: c });
        const { loss, gradient } = lossAndGradient(distance, r);
        const divisor = (squaredNorm(r) + c) ** p;
        expect(loss).toBeCloseTo((m ** (p - 1) * squaredNorm(r)) / divisor, 8);
        expectClose(
          gradient,
          r.map((x) => (2 * m ** (p - 1) * x) / divisor),
        );
      }),
    );
  });

  it("is l2 with a power of 0, and weighs samples of any size alike with a power of 1", () => {
    const r = [1, -2, 0.5, 0, 0.3, -0.7];
    expect(lossOf(velocityDistance({ kind: "adaptive", adaptivePower: 0 }), r)).toBeCloseTo(squaredNorm(r) / m, 12);
    const distance = velocityDistance({ kind: "adaptive" });
    for (const scale of [1, 10, 1000]) {
      expect(
        lossOf(
          distance,
          r.map((x) => scale * x),
        ),
      ).toBeCloseTo(1, 3);
    }
  });
});

describe("velocityDistance", () => {
  it.each([
    [{ kind: "pseudo_huber", huberC: 0 }, "huberC to be a number above 0, got 0"],
    [{ kind: "adaptive", adaptivePower: 1.5 }, "adaptivePower to be a number from 0 to 1, got 1.5"],
    [{ kind: "adaptive", adaptiveC: -1 }, "adaptiveC to be a number above 0, got -1"],
    [{ kind: "pseudo-huber" }, 'one of l2, pseudo_huber, adaptive, got "pseudo-huber". Did you mean "pseudo_huber"?'],
    [{ kind: "toString" }, 'one of l2, pseudo_huber, adaptive, got "toString"'],
  ])("refuses %j", (settings, text) => {
    expect(() => velocityDistance(settings)).toThrow(new ConfigError("flow.distance", `expected ${text}`));
  });

  it("takes no notice of the parameters of other distances", () => {
    expect(velocityDistance({ kind: "l2", huberC: -1, adaptivePower: 7 })).toBe(l2);
  });
});

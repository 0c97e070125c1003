import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { monotoneCurve } from "./monotone-curve.js";

const knots = fc
  .array(fc.tuple(fc.double({ min: 0.05, max: 1, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true })), {
    minLength: 2,
    maxLength: 8,
  })
  .map((pairs) => {
    let position = 0;
    return { at: pairs.map(([width]) => (position += width)), values: pairs.map(([, value]) => value) };
  });

describe("monotoneCurve", () => {
  it("goes through its knots, and between two of them never beyond both", () => {
    fc.assert(
      fc.property(knots, fc.double({ min: 0, max: 1, noNaN: true }), ({ at, values }, share) => {
        const curve = monotoneCurve(at, values);
        for (const [i, position] of at.entries()) expect(curve(position)).toBeCloseTo(values[i]!, 12);
        for (let i = 0; i + 1 < at.length; i++) {
          const value = curve(at[i]! + share * (at[i + 1]! - at[i]!));
          expect(value).toBeGreaterThanOrEqual(Math.min(values[i]!, values[i + 1]!) - 1e-12);
          expect(value).toBeLessThanOrEqual(Math.max(values[i]!, values[i + 1]!) + 1e-12);
        }
      }),
    );
  });

  it("has the same slope on both sides of a knot", () => {
    fc.assert(
      fc.property(knots, ({ at, values }) => {
        const curve = monotoneCurve(at, values);
        for (const position of at.slice(1, -1)) {
          const before = (curve(position) - curve(position - 1e-6)) / 1e-6;
          const after = (curve(position + 1e-6) - curve(position)) / 1e-6;
          expect(Math.abs(before - after)).toBeLessThan(0.02);
        }
      }),
    );
  });

  it("is a straight line through knots on one, and constant beyond its ends", () => {
    const curve = monotoneCurve([0, 1, 3], [1, 3, 7]);
    for (const position of [0.3, 1.7, 2.9]) expect(curve(position)).toBeCloseTo(1 + 2 * position, 12);
    expect([curve(-5), curve(9)]).toEqual([1, 7]);
  });
});

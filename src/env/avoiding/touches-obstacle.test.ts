import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FINISH, OBSTACLES, ROD_RADIUS, START } from "./scene.js";
import { touchesObstacle } from "./touches-obstacle.js";

describe("the scene", () => {
  it("has levels 0.18 m apart, each moved sideways by half a gap, that leave the rod 0.08 m between neighbours", () => {
    const level = (n: number) => OBSTACLES.filter((obstacle) => obstacle.level === n);
    expect([1, 2, 3].map((n) => level(n).length)).toEqual([1, 2, 3]);
    for (const n of [1, 2, 3]) {
      for (const { centre, radius } of level(n)) {
        expect(centre[1]).toBeCloseTo(-0.1 + 0.18 * (n - 1), 12);
        expect(radius).toBe(n === 1 ? 0.03 : 0.025);
      }
    }
    for (const n of [2, 3]) {
      expect(level(n)[0]!.centre[0]).toBeCloseTo(level(n - 1)[0]!.centre[0] - 0.075, 12);
      for (const [i, { centre, radius }] of level(n).entries()) {
        const next = level(n)[i + 1];
        if (next === undefined) continue;
        expect(next.centre[0] - centre[0] - radius - next.radius - 2 * ROD_RADIUS).toBeCloseTo(0.08, 12);
      }
    }
    expect([START, FINISH.y, ROD_RADIUS]).toEqual([[0.525, -0.28], 0.35, 0.01]);
  });
});

describe("touchesObstacle", () => {
  it("begins where the distance falls below the sum of radii, at every obstacle and from every side", () => {
    const obstacle = fc.constantFrom(...OBSTACLES);
    fc.assert(
      fc.property(obstacle, fc.double({ min: 0, max: 2 * Math.PI, noNaN: true }), ({ centre, radius }, angle) => {
        const at = (distance: number): [number, number] => [
          centre[0] + distance * Math.cos(angle),
          centre[1] + distance * Math.sin(angle),
        ];
        const reach = radius + ROD_RADIUS;
        expect(touchesObstacle(...at(reach - 1e-9), ...at(reach - 1e-9))).toBe(true);
        expect(touchesObstacle(...at(reach + 1e-9), ...at(reach + 1e-9))).toBe(false);
        expect(touchesObstacle(...at(reach + 0.002), ...at(reach - 1e-9))).toBe(true);
      }),
    );
  });

  it("sees an obstacle between two places that are both free, in both directions", () => {
    expect(touchesObstacle(0.44, -0.1, 0.56, -0.1)).toBe(true);
    expect(touchesObstacle(0.56, -0.1, 0.44, -0.1)).toBe(true);
    expect(touchesObstacle(0.44, -0.0599, 0.56, -0.0599)).toBe(false);
    expect(touchesObstacle(0.44, -0.0601, 0.56, -0.0601)).toBe(true);
  });

  it("does not look beyond the ends of the way", () => {
    expect(touchesObstacle(0.3, -0.1, 0.4599, -0.1)).toBe(false);
    expect(touchesObstacle(0.7, -0.1, 0.5401, -0.1)).toBe(false);
    expect(touchesObstacle(0.3, -0.1, 0.4601, -0.1)).toBe(true);
  });

  it("agrees with looking at a thousand places along the way, up to their spacing", () => {
    const coordinate = fc.double({ min: 0.2, max: 0.8, noNaN: true });
    const point = fc.tuple(
      coordinate,
      coordinate.map((x) => x - 0.5),
    );
    fc.assert(
      fc.property(point, point, (from, to) => {
        const distances = Array.from({ length: 1001 }, (_, i) => {
          const [x, y] = [from[0] + ((to[0] - from[0]) * i) / 1000, from[1] + ((to[1] - from[1]) * i) / 1000];
          return Math.min(...OBSTACLES.map(({ centre, radius }) => Math.hypot(x - centre[0], y - centre[1]) - radius));
        });
        const nearest = Math.min(...distances) - ROD_RADIUS;
        // Places are less than a millimetre apart, so none is missed by more than half of that.
        if (Math.abs(nearest) > 0.0005) expect(touchesObstacle(...from, ...to)).toBe(nearest < 0);
      }),
      { numRuns: 200 },
    );
  });
});

import { expect, it } from "vitest";
import { normalQuantile } from "./normal-quantile.js";

it("gives the published percentage points of the standard normal law, from the middle to the far tails", () => {
  // As Python's statistics.NormalDist gives them.
  const points: [number, number][] = [
    [0.25, -0.6744897501960817],
    [0.001, -3.090232306167813],
    [1e-20, -9.26234008979841],
    [0.5, 0],
    [0.975, 1.959963984540054],
    [0.9, 1.2815515655446004],
    [1e-10, -6.361340902404056],
    [1e-300, -37.0470962993612],
  ];
  for (const [probability, value] of points) {
    expect(Math.abs(normalQuantile(probability) - value)).toBeLessThan(1e-12);
  }
});

it("is odd about one half and infinite at the ends", () => {
  for (const p of [0.03, 0.0749, 0.0751, 0.2, 0.4]) expect(normalQuantile(1 - p)).toBeCloseTo(-normalQuantile(p), 10);
  expect([normalQuantile(0), normalQuantile(1)]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
});

it("is the inverse of the integral of the normal density", () => {
  for (const p of [0.06, 0.2, 0.7]) {
    const end = normalQuantile(p);
    const [numParts, start] = [20_000, -12];
    let mass = 0;
    for (let i = 0; i < numParts; i++) mass += Math.exp(-((start + ((i + 0.5) / numParts) * (end - start)) ** 2) / 2);
    expect((mass * (end - start)) / numParts / Math.sqrt(2 * Math.PI)).toBeCloseTo(p, 8);
  }
});

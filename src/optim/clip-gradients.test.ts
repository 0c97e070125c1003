import { describe, expect, it } from "vitest";
import { numLiveTensors, ones, scope, tensor } from "../torch/index.js";
import { clipGradients } from "./index.js";

describe("clipGradients", () => {
  it("scales all by maxNorm / (norm + 1e-6) where the joint norm is larger, and returns the norm before", () => {
    const gradients = [tensor([3, 0]), undefined, tensor([4], [1, 1]), tensor([12])];
    expect(clipGradients(gradients, 6.5).item()).toBe(13);
    const factor = 6.5 / (13 + 1e-6);
    const clipped = gradients.flatMap((gradient) => gradient?.toNumbers() ?? []);
    for (const [i, value] of [3, 0, 4, 12].entries()) expect(clipped[i]).toBeCloseTo(value * factor, 6);
  });

  it("leaves smaller gradients bit for bit as they are", () => {
    const gradients = [tensor([0.3, -0.1])];
    const before = gradients[0]!.toNumbers();
    expect(clipGradients(gradients, 10).item()).toBeCloseTo(Math.hypot(0.3, 0.1), 6);
    expect(gradients[0]!.toNumbers()).toEqual(before);
  });

  it("leaves zeros as zeros, and gives 0 where there is no gradient", () => {
    const zero = tensor([0, 0]);
    expect(clipGradients([zero], 0.5).item()).toBe(0);
    expect(zero.toNumbers()).toEqual([0, 0]);
    expect(clipGradients([], 1).item()).toBe(0);
    expect(clipGradients([undefined], 1).item()).toBe(0);
  });

  it("shows in its result that a gradient is not finite", () => {
    expect(clipGradients([tensor([Number.NaN])], 1).item()).toBeNaN();
    expect(clipGradients([tensor([Number.POSITIVE_INFINITY])], 1).item()).toBe(Number.POSITIVE_INFINITY);
  });

  it("leaves one tensor alive", () => {
    const gradients = [ones([2]), ones([3])];
    const before = numLiveTensors();
    using _norm = clipGradients(gradients, 1);
    expect(numLiveTensors()).toBe(before + 1);
    scope(() => {
      clipGradients(gradients, 1);
    });
    expect(numLiveTensors()).toBe(before + 1);
  });
});

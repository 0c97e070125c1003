import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShapeError } from "../support/errors.js";
import { Generator, mul, ones, reshape, sub, tensor, zeros } from "../torch/index.js";
import { betaLaw, interpolate, sampleNoise, sampleTime, velocityLoss, velocityTarget } from "./index.js";

const generator = new Generator(2);
const [noise, actions] = [sampleNoise([4, 3, 2], generator), sampleNoise([4, 3, 2], generator)];

describe("interpolate", () => {
  it("is bit for bit the noise at time 1 and the actions at time 0", () => {
    expect(interpolate(noise, actions, ones([4])).toNumbers()).toEqual(noise.toNumbers());
    expect(interpolate(noise, actions, zeros([4])).toNumbers()).toEqual(actions.toNumbers());
  });

  it("minus time times velocity is the actions, whatever the time", () => {
    const time = sampleTime(betaLaw, 4, generator);
    const xt = interpolate(noise, actions, time);
    const back = sub(xt, mul(reshape(time, [4, 1, 1]), velocityTarget(noise, actions)));
    for (const [i, action] of actions.toNumbers().entries()) expect(back.toNumbers()[i]).toBeCloseTo(action, 5);
  });

  it("is the weighted mean of both for each sample by its own time", () => {
    const value = fc.float({ min: -100, max: 100, noNaN: true });
    const unit = fc.float({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value, unit), { minLength: 1, maxLength: 5 }), (samples) => {
        const column = (k: number): number[] => samples.map((sample) => sample[k]!);
        const shape = [samples.length, 1, 1];
        const xt = interpolate(tensor(column(0), shape), tensor(column(1), shape), tensor(column(2))).toNumbers();
        for (const [i, [n, a, t]] of samples.entries())
          expect(Math.abs(xt[i]! - (t * n + (1 - t) * a))).toBeLessThan(1e-4);
      }),
    );
  });

  it("refuses noise and actions of different shapes, even where they would broadcast", () => {
    expect(() => interpolate(noise, ones([4, 3, 1]), ones([4]))).toThrow(
      new ShapeError("flow.interpolate: expected noise and actions of one shape, got [4, 3, 2] and [4, 3, 1]"),
    );
    expect(() => velocityTarget(noise, ones([4, 3]))).toThrow(
      new ShapeError("flow.velocityTarget: expected noise and actions of one shape, got [4, 3, 2] and [4, 3]"),
    );
  });

  it.each([[[1]], [[3]], [[]], [[4, 1]]])("refuses times of shape %j for 4 samples", (shape) => {
    expect(() => interpolate(noise, actions, ones(shape))).toThrow(
      new ShapeError(
        `flow.interpolate: expected one time for each of 4 samples, got times of shape [${shape.join(", ")}]`,
      ),
    );
  });
});

describe("velocityTarget", () => {
  it("is noise minus actions", () => {
    expect(velocityTarget(tensor([3], [1, 1, 1]), tensor([5], [1, 1, 1])).item()).toBe(-2);
  });
});

describe("velocityLoss", () => {
  const predicted = tensor([1, 2, 3, 4], [1, 2, 2]);
  const target = tensor([1, 0, 0, 8], [1, 2, 2]);

  it("is the mean squared difference over all entries, or over the first dimensions", () => {
    expect(velocityLoss(predicted, target).item()).toBeCloseTo((0 + 4 + 9 + 16) / 4, 6);
    expect(velocityLoss(predicted, target, 1).item()).toBeCloseTo((0 + 9) / 2, 6);
    expect(velocityLoss(predicted, predicted).item()).toBe(0);
  });

  it.each([[0], [3]])("refuses %d of 2 dimensions", (numDims) => {
    expect(() => velocityLoss(predicted, target, numDims)).toThrow(ShapeError);
  });

  it("refuses velocities of different shapes", () => {
    expect(() => velocityLoss(predicted, ones([1, 2, 1]))).toThrow(
      /^flow.velocityLoss: expected two velocities of one shape .* got \[1, 2, 2\] and \[1, 2, 1\]$/,
    );
  });
});

describe("sampleNoise", () => {
  it("is standard normal, float32, and a function of the generator", () => {
    const draw = (): number[] => sampleNoise([100, 20, 10], new Generator(9)).toNumbers();
    const values = draw();
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + x ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(values.length));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / values.length));
    expect(sampleNoise([1, 2, 3], new Generator(0))).toMatchObject({ dtype: "float32", shape: [1, 2, 3] });
    expect(draw()).toEqual(values);
  });
});

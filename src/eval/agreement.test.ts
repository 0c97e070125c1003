import { describe, expect, it } from "vitest";
import { sampleNoise } from "../flow/index.js";
import { type HostArray, hostArray } from "../support/host-array.js";
import { Generator } from "../torch/index.js";
import { measureAgreement } from "./agreement.js";

const SHAPE = [64, 256, 2, 3] as const; // many noises, so that estimates are near the exact values
const [O, K, A, M] = SHAPE;
const PER_OBSERVATION = K * A * M;

/** Independent standard normal numbers. */
function normal(seed: number, shape: readonly [number, number, number]): Float32Array {
  using generator = new Generator(seed);
  const noise = sampleNoise(shape, generator);
  const { data } = noise.toHost();
  noise.dispose();
  return data as Float32Array;
}

const noise = normal(1, [O * K, A, M]);
const means = normal(2, [O, A, M]);
const CENTRE = 3;
const SPREAD = 0.5;

/** A linear policy: actions = centre + (something of the observation) + gain * noise. */
const linear = (gain: number, offset = 0): HostArray =>
  hostArray(
    "float32",
    SHAPE,
    Float32Array.from(noise, (n, i) => {
      const mean = means[Math.floor(i / PER_OBSERVATION) * A * M + (i % (A * M))]!;
      return CENTRE + mean + offset + gain * n;
    }),
  );
const reference = linear(SPREAD);

/** `E r^2` per entry: centre^2 + Var(mean) + spread^2. */
const MEAN_SQUARE = CENTRE ** 2 + 1 + SPREAD ** 2;

describe("against a linear reference with Gaussian noise", () => {
  it("a perfect copy has error 0, explains all of the noise and has its spread", () => {
    expect(measureAgreement(reference, reference)).toEqual({ relativeError: 0, noiseExplained: 1, spreadRatio: 1 });
  });

  it.each([0.5, 1.5, 2])("a student with %d times the gain has the exact measures", (factor) => {
    const { relativeError, noiseExplained, spreadRatio } = measureAgreement(linear(factor * SPREAD), reference);
    // a - r = (factor - 1) * spread * noise
    expect(relativeError).toBeCloseTo(Math.sqrt(((factor - 1) * SPREAD) ** 2 / MEAN_SQUARE), 2);
    expect(noiseExplained).toBeCloseTo(1 - (factor - 1) ** 2, 1);
    expect(spreadRatio).toBeCloseTo(factor, 5);
  });

  it("a student with a constant error loses what the error costs and keeps its spread", () => {
    const { relativeError, noiseExplained, spreadRatio } = measureAgreement(linear(SPREAD, 0.25), reference);
    expect(relativeError).toBeCloseTo(0.25 / Math.sqrt(MEAN_SQUARE), 2);
    expect(noiseExplained).toBeCloseTo(1 - 0.25 ** 2 / SPREAD ** 2, 1);
    expect(spreadRatio).toBeCloseTo(1, 5);
  });

  it("the mean action of each observation explains none of the noise and has no spread", () => {
    const r = reference.data as Float32Array;
    const collapsed = Float32Array.from(r, (_, i) => {
      const first = Math.floor(i / PER_OBSERVATION) * PER_OBSERVATION + (i % (A * M));
      let mean = 0;
      for (let k = 0; k < K; k++) mean += r[first + k * A * M]! / K;
      return mean;
    });
    const { relativeError, noiseExplained, spreadRatio } = measureAgreement(
      hostArray("float32", SHAPE, collapsed),
      reference,
    );
    expect(noiseExplained).toBeCloseTo(0, 5);
    expect(spreadRatio).toBeCloseTo(0, 5);
    // A small relative error all the same, which is why it is not to be read alone.
    expect(relativeError).toBeCloseTo(SPREAD / Math.sqrt(MEAN_SQUARE), 2);
  });

  it("samples of other noise explain less than nothing, at the same spread", () => {
    const other = normal(3, [O * K, A, M]);
    const swapped = Float32Array.from(reference.data as Float32Array, (r, i) => r + SPREAD * (other[i]! - noise[i]!));
    const { noiseExplained, spreadRatio } = measureAgreement(hostArray("float32", SHAPE, swapped), reference);
    expect(noiseExplained).toBeCloseTo(-1, 1);
    expect(spreadRatio).toBeCloseTo(1, 1);
  });
});

describe("measures without a denominator are undefined", () => {
  const constant = (value: number): HostArray => hostArray("float32", [1, 2, 1, 1], Float32Array.of(value, value));

  it("for a reference that does not depend on its noise", () => {
    expect(measureAgreement(constant(2), constant(1))).toEqual({
      relativeError: 1,
      noiseExplained: undefined,
      spreadRatio: undefined,
    });
  });

  it("for a reference that is zero", () => {
    expect(measureAgreement(constant(2), constant(0)).relativeError).toBeUndefined();
  });
});

describe("measureAgreement refuses", () => {
  const zeros = (...shape: number[]): HostArray =>
    hostArray("float32", shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

  it("arrays of different or of other shapes", () => {
    expect(() => measureAgreement(zeros(1, 2, 3, 4), zeros(1, 2, 3, 5))).toThrow(
      "eval.measureAgreement: expected two arrays float32 [observations, noises, A, M], " +
        "got float32 [1, 2, 3, 4] and float32 [1, 2, 3, 5]",
    );
    expect(() => measureAgreement(zeros(1, 2, 3), zeros(1, 2, 3))).toThrow(
      "got float32 [1, 2, 3] and float32 [1, 2, 3]",
    );
  });

  it("a single noise", () => {
    expect(() => measureAgreement(zeros(2, 1, 3, 4), zeros(2, 1, 3, 4))).toThrow(
      "eval.measureAgreement: expected at least 2 noises per observation, got 1",
    );
  });
});

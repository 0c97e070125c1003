import { describe, expect, it } from "vitest";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { controlRate } from "./control-rate.js";
import { latencyStatistics } from "./latency-statistics.js";
import { measureLatency } from "./measure-latency.js";
import { measureSmoothness } from "./measure-smoothness.js";

const chunksOf = (shape: [number, number, number], value: (place: number, chunk: number) => number): HostArray => {
  const [N, A, M] = shape;
  const data = Float32Array.from({ length: N * A * M }, (_, i) =>
    value(Math.floor(i / M) % A, Math.floor(i / (A * M))),
  );
  return hostArray("float32", shape, data);
};

describe("smoothness", () => {
  const cubic = (scale: number) => chunksOf([2, 8, 1], (h) => scale * h ** 3);

  it("has the third derivative of a cubic as its jerk, in seconds", () => {
    const request = { chunks: cubic(0.5), demonstrations: cubic(0.25), numActionSteps: 8, frequencyHz: 10 };
    const { jerk, jerkRatio } = measureSmoothness(request);
    expect(jerk).toBeCloseTo(0.5 * 6 * 1000, 6);
    expect(jerkRatio).toBeCloseTo(2, 9);
  });

  it("measures the jump from the last executed action to the next chunk against a demonstration's step", () => {
    // chunk c is at 10 c + h: after 3 of its steps (10 c + 2) the next begins at 10 (c + 1), a jump of 8 in both dimensions
    const request = {
      chunks: chunksOf([5, 6, 2], (h, chunk) => 10 * chunk + h),
      demonstrations: chunksOf([1, 9, 2], (h) => 2 * h),
      frequencyHz: 30,
    };
    const { boundaryJump, boundaryJumpRatio } = measureSmoothness({ ...request, numActionSteps: 3 });
    expect(boundaryJump).toBeCloseTo(8 * Math.SQRT2, 6);
    expect(boundaryJumpRatio).toBeCloseTo(4, 6);
    expect(measureSmoothness({ ...request, numActionSteps: 6 }).boundaryJump).toBeCloseTo(5 * Math.SQRT2, 6);
  });

  it("is undefined without three differences, a second chunk, or demonstrations that move", () => {
    const still = chunksOf([1, 4, 1], () => 1);
    expect(
      measureSmoothness({
        chunks: chunksOf([1, 3, 1], (h) => h),
        demonstrations: still,
        numActionSteps: 1,
        frequencyHz: 1,
      }),
    ).toEqual({ jerk: undefined, jerkRatio: undefined, boundaryJump: undefined, boundaryJumpRatio: undefined });
    const moving = measureSmoothness({ chunks: cubic(1), demonstrations: still, numActionSteps: 1, frequencyHz: 1 });
    expect(moving).toMatchObject({ jerk: 6, jerkRatio: undefined, boundaryJumpRatio: undefined });
  });

  it.each([
    [{ numActionSteps: 9 }, "expected numActionSteps to be a whole number from 1 to 8, got 9"],
    [{ frequencyHz: 0 }, "expected frequencyHz to be a number above 0, got 0"],
    [
      { demonstrations: chunksOf([1, 3, 1], () => 0) },
      "expected demonstrations of at least 4 steps and 1 dimensions, got [1, 3, 1]",
    ],
    [{ chunks: chunksOf([0, 3, 1], () => 0) }, "expected chunks float32 [N, A, M], got float32 [0, 3, 1]"],
  ])("refuses %j", (changes, message) => {
    const request = { chunks: cubic(1), demonstrations: cubic(1), numActionSteps: 8, frequencyHz: 10, ...changes };
    expect(() => measureSmoothness(request)).toThrow(`eval.measureSmoothness: ${message}`);
  });
});

describe("latency", () => {
  it("has median and tail of the calls after the warm-up", () => {
    const durations = [900, 800, ...Array.from({ length: 101 }, (_, i) => i)];
    expect(latencyStatistics(durations, 2)).toEqual({ medianMs: 50, p95Ms: 95, minMs: 0, maxMs: 100, numCalls: 101 });
  });

  it("is split at the laps, with the device settled before every look at the clock", () => {
    let [time, pending, calls] = [0, 0, 0];
    const { total, parts } = measureLatency({
      now: () => time,
      settle: () => {
        time += pending;
        pending = 0;
      },
      call: (lap) => {
        calls += 1;
        pending = calls === 1 ? 1000 : 30;
        lap("prefix");
        pending = 5;
        lap("expert");
        pending = 2;
      },
      numWarmups: 1,
      numCalls: 4,
    });
    expect(calls).toBe(5);
    expect(total).toMatchObject({ medianMs: 37, maxMs: 37, numCalls: 4 });
    expect(parts).toMatchObject({ prefix: { medianMs: 30 }, expert: { medianMs: 5, p95Ms: 5, numCalls: 4 } });
  });

  it("becomes a rate of chunks, and of actions", () => {
    expect(controlRate(50, 10)).toEqual({ chunkHz: 20, controlHz: 200 });
  });

  it.each<[string, () => unknown, string]>([
    [
      "only warm-ups",
      () => latencyStatistics([1, 2], 2),
      "eval.latencyStatistics: expected numWarmups to be a whole number below the 2 calls, got 2",
    ],
    [
      "a clock that goes back",
      () => {
        let time = 0;
        measureLatency({ now: () => --time, call: () => {}, numWarmups: 0, numCalls: 1 });
      },
      "eval.latencyStatistics: expected durations of at least 0, got -1",
    ],
    [
      "a part that is not in every call",
      () => {
        let calls = 0;
        measureLatency({
          now: () => 0,
          call: (lap) => (calls++ === 0 ? lap("image") : undefined),
          numWarmups: 0,
          numCalls: 3,
        });
      },
      'eval.measureLatency: expected part "image" once in each of 3 calls, got it 1 times',
    ],
    [
      "no calls",
      () => measureLatency({ now: () => 0, call: () => {}, numCalls: 0 }),
      "eval.measureLatency: expected numCalls to be a whole number of at least 1, got 0",
    ],
    ["a latency of 0", () => controlRate(0, 1), "eval.controlRate: expected latencyMs to be a number above 0, got 0"],
  ])("refuses %s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});

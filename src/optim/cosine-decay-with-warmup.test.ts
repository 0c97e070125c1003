import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../support/errors.js";
import { type CosineDecayOptions, cosineDecayWithWarmup } from "./index.js";

const PUBLISHED: CosineDecayOptions = { peakLr: 1e-4, decayLr: 2.5e-6, numWarmupSteps: 1000, numDecaySteps: 30_000 };

describe("cosineDecayWithWarmup", () => {
  it("gives the learning rates that LeRobot recorded, to the last bit", () => {
    const path = join(import.meta.dirname, "../../test/fixtures/tiny-smolvla/reflow/log.json");
    const log = JSON.parse(readFileSync(path, "utf8")) as { step: number; lr: number }[];
    const rate = cosineDecayWithWarmup({ peakLr: 2e-5, decayLr: 2.5e-6, numWarmupSteps: 5, numDecaySteps: 100 }, 100);
    expect(log.length).toBe(20);
    expect(log.map(({ step }) => rate(step))).toEqual(log.map(({ lr }) => lr));
  });

  it("starts at peak / (W + 1) and rises in equal steps", () => {
    const rate = cosineDecayWithWarmup(PUBLISHED, 100_000);
    expect(rate(0)).toBeCloseTo(1e-4 / 1001, 15);
    for (const step of [1, 500, 998]) expect(rate(step + 1) - rate(step)).toBeCloseTo(1e-4 / 1001, 12);
    expect(rate(999)).toBeLessThan(rate(998) + 1.01e-7);
  });

  it("after the warm-up is the cosine of the whole run, not of what is left of it", () => {
    const rate = cosineDecayWithWarmup(PUBLISHED, 30_000);
    for (const step of [1000, 7500, 15_000, 29_999]) {
      const cosine = (1 + Math.cos((Math.PI * step) / 30_000)) / 2;
      expect(rate(step)).toBeCloseTo((1e-4 - 2.5e-6) * cosine + 2.5e-6, 14);
    }
    expect(rate(15_000)).toBeCloseTo((1e-4 + 2.5e-6) / 2, 14);
  });

  it("ends at the final rate and stays there", () => {
    const rate = cosineDecayWithWarmup(PUBLISHED, 50_000);
    for (const step of [30_000, 30_001, 49_999]) expect(rate(step)).toBeCloseTo(2.5e-6, 15);
  });

  it("shrinks warm-up and decay with a run that is shorter than the decay", () => {
    const short = cosineDecayWithWarmup(PUBLISHED, 3001);
    const same = cosineDecayWithWarmup({ ...PUBLISHED, numWarmupSteps: 100, numDecaySteps: 3001 }, 3001);
    for (const step of [0, 1, 99, 100, 101, 1500, 3000, 3001]) expect(short(step)).toBe(same(step));
    const tiny = cosineDecayWithWarmup(PUBLISHED, 20); // 1000 * 20 / 30000 is less than one step: no warm-up
    expect(tiny(0)).toBe(1e-4);
    expect(tiny(20)).toBeCloseTo(2.5e-6, 15);
  });

  it("stays between the first, the peak and the final rate in any run", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(400), fc.integer({ min: 500, max: 4000 }), (n, w, d) => {
        const rate = cosineDecayWithWarmup({ peakLr: 1e-3, decayLr: 1e-5, numWarmupSteps: w, numDecaySteps: d }, n);
        for (let step = 0; step <= n; step += Math.ceil(n / 20)) {
          expect(rate(step)).toBeLessThanOrEqual(1e-3 * (1 + 1e-12));
          expect(rate(step)).toBeGreaterThanOrEqual(Math.min(1e-5, 1e-3 / (w + 1)) * (1 - 1e-12));
        }
      }),
    );
  });

  it("refuses a peak below the final rate, and says which settings to change", () => {
    expect(() => cosineDecayWithWarmup({ ...PUBLISHED, peakLr: 1e-6 }, 100)).toThrow(ConfigError);
    expect(() => cosineDecayWithWarmup({ ...PUBLISHED, peakLr: 1e-6 }, 100)).toThrow(
      "optim.schedule: expected a peak learning rate of at least the final one, got 0.000001 and 0.0000025: " +
        'the "decay" would raise the rate. Lower scheduler_decay_lr or raise optimizer_lr',
    );
    expect(() => cosineDecayWithWarmup({ ...PUBLISHED, peakLr: 2.5e-6 }, 100)).not.toThrow();
  });
});

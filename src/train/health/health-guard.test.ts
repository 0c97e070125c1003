import { describe, expect, it } from "vitest";
import { FINDING_KINDS, type Finding, isCuredBySmallerRate } from "./finding.js";
import { HEALTH_MODES, HealthGuard } from "./health-guard.js";

const finding = (changed: Partial<Finding> = {}): Finding => ({
  kind: "loss-risen",
  severity: "critical",
  step: 120,
  lastGoodStep: 40,
  figures: {},
  message: "the loss has risen",
  advice: "Lower optimizer_lr",
  ...changed,
});

const backOff = (learningRateFactor: number, lastGoodStep = 40) => ({
  kind: "back-off",
  lastGoodStep,
  learningRateFactor,
  message: "health at step 120: the loss has risen. Lower optimizer_lr",
});

describe("a guard", () => {
  it.each(HEALTH_MODES)("lets a run without findings, and one with warnings, go on: %s", (mode) => {
    const guard = new HealthGuard(mode);
    expect(guard.decide([])).toEqual({ kind: "continue" });
    expect(guard.decide(FINDING_KINDS.map((kind) => finding({ kind, severity: "warning" })))).toEqual({
      kind: "continue",
    });
  });

  it.each(["off", "warn"] as const)("lets a run go on whatever there is: %s", (mode) => {
    expect(new HealthGuard(mode).decide([finding()])).toEqual({ kind: "continue" });
  });

  it("that stops does so at the first critical finding, naming it and the last good step", () => {
    expect(new HealthGuard("stop").decide([finding({ severity: "warning" }), finding({ lastGoodStep: 7 })])).toEqual({
      kind: "stop",
      lastGoodStep: 7,
      message: "health at step 120: the loss has risen. Lower optimizer_lr",
    });
  });

  it("that backs off halves the learning rate three times, and then stops", () => {
    const guard = new HealthGuard("backoff");
    expect(guard.learningRateFactor).toBe(1);
    expect(guard.decide([finding()])).toEqual(backOff(0.5));
    expect(guard.decide([finding()])).toEqual(backOff(0.25));
    expect(guard.decide([finding({ lastGoodStep: 60 }), finding({ lastGoodStep: 50 })])).toEqual(backOff(0.125, 50));
    expect(guard.decide([finding()])).toEqual({
      kind: "stop",
      lastGoodStep: 40,
      message:
        "health at step 120: the loss has risen. Lower optimizer_lr. The learning rate was halved 3 times already",
    });
    expect(guard.learningRateFactor).toBe(0.125);
  });

  it("never backs off for what a smaller learning rate does not cure", () => {
    const incurable = FINDING_KINDS.filter((kind) => !isCuredBySmallerRate({ kind }));
    expect(incurable).toEqual(["standstill", "frozen-weights", "loss-collapsed", "noise-ignored", "spread-lost"]);
    for (const kind of incurable) {
      const guard = new HealthGuard("backoff");
      expect(guard.decide([finding(), finding({ kind })]).kind).toBe("stop");
      expect(guard.learningRateFactor).toBe(1);
    }
  });

  it("remembers how often it backed off", () => {
    const first = new HealthGuard("backoff");
    first.decide([finding()]);
    const second = HealthGuard.fromJSON(JSON.parse(JSON.stringify(first)), "backoff", "guard.json");
    expect(second.learningRateFactor).toBe(0.5);
    expect(second.decide([finding()])).toEqual(backOff(0.25));
  });

  it("refuses a state that is not its own", () => {
    const open = (state: unknown) => () => HealthGuard.fromJSON(state, "backoff", "guard.json");
    expect(open({ version: 1, numBackoffs: 9 })).toThrow(
      "guard.json at numBackoffs: expected a number of at most 3, got 9",
    );
    expect(open({ version: 1, numBackoffs: -1 })).toThrow(
      "guard.json at numBackoffs: expected a number of at least 0, got -1",
    );
    expect(open(null)).toThrow("guard.json: expected an object, got null");
  });
});

import { describe, expect, it } from "vitest";
import type { Finding, FindingKind } from "./finding.js";
import { HealthWatch } from "./health-watch.js";
import type { ObservedStep } from "./run-memory.js";
import { planOf, type RecordedRun, recordedRuns, replay, watchOf } from "./testing/recorded-runs.js";

const RUNS = recordedRuns();
const runsOf = (verdict: RecordedRun["verdict"]): [string, RecordedRun][] =>
  RUNS.filter((run) => run.verdict === verdict).map((run) => [run.name, run]);
const kindsOf = (findings: readonly Finding[]): FindingKind[] => [...new Set(findings.map(({ kind }) => kind))].sort();

const TOO_LARGE: readonly FindingKind[] = ["drift-from-teacher", "loss-risen", "update-too-large"];
const TOO_SMALL: readonly FindingKind[] = ["frozen-weights", "standstill"];

describe("of recorded runs, the watch", () => {
  it("has more than twenty good ones of all methods, and all kinds of bad ones to look at", () => {
    expect(runsOf("good").length).toBeGreaterThan(20);
    expect(new Set(runsOf("good").map(([, { method }]) => method)).size).toBe(3);
    expect(runsOf("too large").length).toBeGreaterThanOrEqual(10);
    expect(runsOf("too small").length).toBeGreaterThanOrEqual(4);
    expect(runsOf("noise lost").length).toBeGreaterThanOrEqual(2);
  });

  it.each(runsOf("good"))("is silent on the good one: %s", (_, run) => {
    expect(replay(run, watchOf(run))).toEqual([]);
  });

  it.each(runsOf("good"))("is silent on the good one without evaluations and weights: %s", (_, run) => {
    expect(replay(run, watchOf(run), { parts: { weights: false, evaluations: false } })).toEqual([]);
  });

  it.each(runsOf("too large"))("finds a critical, too large learning rate in its first quarter: %s", (_, run) => {
    const findings = replay(run, watchOf(run), { until: Math.ceil(run.numSteps / 4) });
    expect(findings.map(({ severity }) => severity)).toContain("critical");
    expect(TOO_LARGE).toEqual(expect.arrayContaining(kindsOf(findings)));
  });

  it.each(runsOf("too large").filter(([, { method }]) => method !== "from scratch"))(
    "finds the same from losses and gradient norms alone, where the start was good: %s",
    (_, run) => {
      const findings = replay(run, watchOf(run), { parts: { weights: false, evaluations: false } });
      expect(kindsOf(findings)).toEqual(["loss-risen"]);
      expect(findings.at(-1)?.severity).toBe("critical");
    },
  );

  it.each(runsOf("too small"))("finds a too small learning rate, and nothing else: %s", (_, run) => {
    const findings = replay(run, watchOf(run));
    expect(kindsOf(findings)).toContain("standstill");
    expect(TOO_SMALL).toEqual(expect.arrayContaining(kindsOf(findings)));
    expect(findings.every(({ severity }) => severity === "warning")).toBe(true);
  });

  it.each(runsOf("noise lost"))("finds that the student leaves its teacher while its loss falls: %s", (_, run) => {
    const findings = replay(run, watchOf(run));
    expect(kindsOf(findings)).toContain("drift-from-teacher");
    expect(findings.find(({ severity }) => severity === "critical")?.kind).toBe("drift-from-teacher");
  });

  it("finds a loss that is too good to be true where the noise is lost at a fast rate", () => {
    const run = RUNS.find(({ name }) => name === "reflow 1e-3 batch 8 aliased")!;
    const findings = replay(run, watchOf(run), { parts: { evaluations: false } });
    expect(kindsOf(findings)).toEqual(["loss-collapsed"]);
    expect(findings[0]!.step).toBeLessThan(300);
  });

  it("says the numbers and what to do", () => {
    const run = RUNS.find(({ name }) => name === "reflow 1e-9 batch 8")!;
    const standstill = replay(run, watchOf(run)).find(({ kind }) => kind === "standstill")!;
    expect(standstill.message).toMatch(
      /^nothing moves: with every update in the same direction, all 300 steps together would change the weights by [\d.e-]+ %, and the loss cannot be told from its start \([\d.]+ against [\d.]+\)$/,
    );
    expect(standstill.advice).toBe("The learning rate is too small. Raise optimizer_lr from 1e-9 to about 0.0001");
  });
});

describe("a resumed watch", () => {
  const interesting = RUNS.filter(({ name }) =>
    /reflow (1e-2 batch 2 warm-up|1e-9 batch 8|1e-3 batch 8 aliased)/.test(name),
  );

  it.each(interesting.map((run) => [run.name, run] as const))("finds what an unbroken one finds: %s", (_, run) => {
    const whole = replay(run, watchOf(run));
    expect(whole.length).toBeGreaterThan(0);
    for (const until of [1, 70, 90, 149, 150, 200]) {
      const first = watchOf(run);
      const before = replay(run, first, { until });
      const state: unknown = JSON.parse(JSON.stringify(first));
      const second = HealthWatch.fromJSON(state, planOf(run), "state.json");
      expect([...before, ...replay(run, second, { after: until })]).toEqual(whole);
    }
  });

  it("without a state takes the first losses after the resume for its start", () => {
    const watch = new HealthWatch({ numSteps: 1000, schedule: () => 1e-3 }, 500);
    const losses = Array.from({ length: 200 }, (_, i) => (i < 100 ? 0.01 : 0.1));
    const findings = losses.flatMap((loss, i) => watch.observe(stepAt(501 + i, { loss })));
    expect(kindsOf(findings)).toEqual(["loss-risen"]);
    expect(findings[0]!.message).toMatch(/^the loss has risen .* against 0\.01 in the first \d+ steps after step 500 /);
    expect(findings[0]!.lastGoodStep).toBeGreaterThan(500);
    expect(findings[0]!.lastGoodStep).toBeLessThanOrEqual(600);
  });

  it("refuses a state that is not its own, naming the file and the place", () => {
    const plan = { numSteps: 10, schedule: () => 1e-3 };
    const state = new HealthWatch(plan).toJSON();
    const open = (damaged: unknown) => () => HealthWatch.fromJSON(damaged, plan, "health.json");
    expect(open({ ...state, version: 2 })).toThrow("health.json at version: expected 1, got 2");
    expect(open({ ...state, memory: { ...state.memory, losses: "none" } })).toThrow(
      'health.json at memory.losses: expected a list, got "none"',
    );
    expect(open([])).toThrow("health.json");
    expect(open(structuredClone(state))).not.toThrow();
  });
});

const stepAt = (step: number, changed: Partial<ObservedStep> = {}): ObservedStep => ({
  step,
  loss: 1,
  gradNorm: 1,
  learningRate: 1e-3,
  ...changed,
});

describe("a watch", () => {
  const plan = { numSteps: 10_000, schedule: () => 1e-3 };

  it.each([
    ["loss", { loss: Number.NaN }, "loss NaN, gradNorm 1"],
    ["gradient norm", { gradNorm: Number.POSITIVE_INFINITY }, "loss 1, gradNorm Infinity"],
    ["update", { weights: { relativeUpdate: Number.NaN, shareUnmoved: 0 } }, "loss 1, gradNorm 1, relativeUpdate NaN"],
  ])("reports a %s that is no number, and goes on", (_, changed, numbers) => {
    const watch = new HealthWatch(plan);
    watch.observe(stepAt(1));
    expect(watch.observe(stepAt(2, changed))).toMatchObject([
      {
        kind: "not-finite",
        severity: "critical",
        step: 2,
        lastGoodStep: 1,
        message: `expected finite numbers, got ${numbers}`,
      },
    ]);
    expect(watch.observe(stepAt(3))).toEqual([]);
    expect(() => HealthWatch.fromJSON(JSON.parse(JSON.stringify(watch)), plan, "state")).not.toThrow();
  });

  it("says the same again only after a while, or when it gets worse", () => {
    const watch = new HealthWatch(plan);
    const size = (step: number): number => (step === 3 ? 0.4 : 0.15);
    const findings = Array.from({ length: 1200 }, (_, i) =>
      watch.observe(stepAt(i + 1, { weights: { relativeUpdate: size(i + 1), shareUnmoved: 0 } })),
    ).flat();
    expect(findings.map(({ step, severity }) => [step, severity])).toEqual([
      [1, "warning"],
      [3, "critical"],
      [503, "warning"],
      [1003, "warning"],
    ]);
  });

  it("takes steps in their order alone", () => {
    const watch = new HealthWatch(plan);
    watch.observe(stepAt(1));
    expect(() => watch.observe(stepAt(3))).toThrow("internal: HealthWatch.observe: expected step 2, got 3");
    expect(() => watch.observe(stepAt(1))).toThrow("internal: HealthWatch.observe: expected step 2, got 1");
  });

  it("keeps a state of a few kilobytes however long a run is", () => {
    const watch = new HealthWatch({ numSteps: 5000, schedule: () => 1e-3 });
    for (let step = 1; step <= 5000; step++) {
      watch.observe(stepAt(step, { loss: 1 / step, weights: { relativeUpdate: 1e-3, shareUnmoved: 0 } }));
    }
    expect(JSON.stringify(watch).length).toBeLessThan(16_384);
  });

  it.each([
    [{ numSteps: 0, schedule: () => 1e-3 }, "health: expected a run of at least 1 step, got 0"],
    [{ numSteps: 2, schedule: () => Number.NaN }, "health: expected a learning rate of at least 0 at step 0, got NaN"],
    [
      { numSteps: 2, schedule: (step: number) => -step },
      "health: expected a learning rate of at least 0 at step 1, got -1",
    ],
  ])("refuses a plan that is none", (bad, message) => {
    expect(() => new HealthWatch(bad)).toThrow(message);
  });
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cosineDecayWithWarmup } from "../../../optim/index.js";
import type { Finding } from "../finding.js";
import { HealthWatch } from "../health-watch.js";
import type { SampleAgreement } from "../run-memory.js";
import type { RunPlan } from "../run-plan.js";

/** A run of the tiny fixture as the watch would have seen it, see `recordings/README.md`. */
export interface RecordedRun {
  readonly name: string;
  readonly method: "reflow" | "fine-tuning" | "from scratch";
  readonly verdict: "good" | "too large" | "too small" | "noise lost";
  readonly numSteps: number;
  readonly schedule: Parameters<typeof cosineDecayWithWarmup>[0];
  readonly losses: readonly number[];
  readonly gradNorms: readonly number[];
  /** step, relative update, share of weights left unmoved */
  readonly weights: readonly (readonly [number, number, number])[];
  /** step; then number of solver steps, relative error, noise-explained fraction and spread ratio for each */
  readonly evaluations: readonly (readonly [number, readonly (readonly [number, number, number, number])[]])[];
}

export const recordedRuns = (): RecordedRun[] =>
  readFileSync(join(import.meta.dirname, "../recordings/runs.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RecordedRun);

export const planOf = ({ numSteps, schedule }: RecordedRun): RunPlan => ({
  numSteps,
  schedule: cosineDecayWithWarmup(schedule, numSteps),
});

export interface Replay {
  /** steps to show; the whole run if left out */
  readonly until?: number;
  readonly after?: number;
  readonly parts?: { readonly weights?: boolean; readonly evaluations?: boolean };
}

/** Shows a watch a run from the step after `after` on. @returns what it found */
export function replay(run: RecordedRun, watch: HealthWatch, { until, after = 0, parts = {} }: Replay = {}): Finding[] {
  const { schedule } = planOf(run);
  const weights = new Map(
    run.weights.map(([step, relativeUpdate, shareUnmoved]) => [step, { relativeUpdate, shareUnmoved }]),
  );
  const evaluations = new Map(run.evaluations);
  const evaluate = (step: number): Finding[] => {
    const figures = parts.evaluations === false ? undefined : evaluations.get(step);
    return figures === undefined ? [] : watch.observeEvaluation(figures.map(agreementOf));
  };
  const findings = after === 0 ? evaluate(0) : [];
  for (let step = after + 1; step <= (until ?? run.losses.length); step++) {
    findings.push(
      ...watch.observe({
        step,
        loss: run.losses[step - 1]!,
        gradNorm: run.gradNorms[step - 1]!,
        learningRate: schedule(step - 1),
        weights: parts.weights === false ? undefined : weights.get(step),
      }),
      ...evaluate(step),
    );
  }
  return findings;
}

const agreementOf = ([numSteps, relativeError, noiseExplained, spreadRatio]: readonly [
  number,
  number,
  number,
  number,
]): SampleAgreement => ({ numSteps, relativeError, noiseExplained, spreadRatio });

export const watchOf = (run: RecordedRun): HealthWatch => new HealthWatch(planOf(run));

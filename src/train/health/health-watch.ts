import { z } from "zod";
import { parseWithSchema } from "../../support/parse-with-schema.js";
import type { Check } from "./checks/check.js";
import { lowerRate } from "./checks/check.js";
import { EVALUATION_CHECKS, STEP_CHECKS } from "./checks/index.js";
import { FINDING_KINDS, type Finding, type FindingKind } from "./finding.js";
import {
  emptyMemory,
  MEMORY,
  type ObservedStep,
  type RunMemory,
  rememberStep,
  type SampleAgreement,
} from "./run-memory.js";
import { type LearningRates, planLearningRates, type RunPlan } from "./run-plan.js";

/** Steps for which a kind of finding is not repeated, unless it gets worse: a twentieth of the run, and not fewer. */
const QUIET_STEPS = 500;
const QUIET_SHARE = 0.05;

const STATE = z.strictObject({
  version: z.literal(1),
  memory: MEMORY,
  reported: z.partialRecord(
    z.enum(FINDING_KINDS),
    z.strictObject({ step: z.int().min(0), severity: z.enum(["warning", "critical"]) }),
  ),
});

/** A watch as JSON. */
export type HealthState = z.infer<typeof STATE>;

/**
 * Looks at the numbers of a run as they come and says what is wrong with it: a learning rate that is too large or too
 * small, a loss that is too good, a student that leaves its teacher.
 *
 * It draws nothing, reads no clock and changes nothing: the same numbers give the same findings, also over a resume.
 */
export class HealthWatch {
  readonly #rates: LearningRates;
  readonly #memory: RunMemory;
  readonly #reported: HealthState["reported"];

  /**
   * @param firstStep steps done before, for a run that is resumed without the state of its watch: its start is then here
   * @throws ConfigError if the plan has no steps or a learning rate that is no number
   */
  constructor(plan: RunPlan, firstStep = 0) {
    this.#rates = planLearningRates(plan);
    this.#memory = emptyMemory(firstStep);
    this.#reported = {};
  }

  /**
   * Goes on from a state. The plan may be another than before, as after a smaller learning rate was taken.
   *
   * @param where names the source of the state, for example the file's path
   * @throws ConfigError naming what in the state is not as `toJSON` gives it
   */
  static fromJSON(state: unknown, plan: RunPlan, where: string): HealthWatch {
    const { memory, reported } = parseWithSchema(STATE, state, where);
    const watch = new HealthWatch(plan, memory.firstStep);
    Object.assign(watch.#memory, structuredClone(memory));
    Object.assign(watch.#reported, structuredClone(reported));
    return watch;
  }

  /** All that the watch knows; a few kilobytes. */
  toJSON(): HealthState {
    return structuredClone({ version: 1, memory: this.#memory, reported: this.#reported });
  }

  /** Takes a step when it is done; a step whose numbers are not finite is reported and not remembered. */
  observe(step: ObservedStep): Finding[] {
    this.#expectNext(step.step, this.#memory.step + 1);
    const { loss, gradNorm, weights } = step;
    if (!areFinite([loss, gradNorm, weights?.relativeUpdate])) {
      this.#memory.step = step.step;
      return this.#notFinite({ loss, gradNorm, relativeUpdate: weights?.relativeUpdate });
    }
    rememberStep(this.#memory, step);
    return this.#check(STEP_CHECKS);
  }

  /**
   * Takes how samples agree with the teacher's, after the last observed step or before the first. What comes first is what
   * later ones are compared with: evaluate before the first step, while the student is its teacher.
   *
   * @param agreement one entry for each number of solver steps, of the same observations and noises every time
   */
  observeEvaluation(agreement: readonly SampleAgreement[]): Finding[] {
    const { step } = this.#memory;
    for (const { numSteps, relativeError, noiseExplained, spreadRatio } of agreement) {
      const figures = { relativeError, noiseExplained, spreadRatio };
      if (!areFinite(Object.values(figures))) return this.#notFinite({ numSteps, ...figures });
    }
    const evaluation = { step, agreement: agreement.map((at) => ({ ...at })) };
    this.#memory.firstEvaluation ??= evaluation;
    this.#memory.lastEvaluation = evaluation;
    return this.#check(EVALUATION_CHECKS);
  }

  #check(checks: readonly Check[]): Finding[] {
    const { step } = this.#memory;
    return checks.flatMap((check) => {
      const finding = check(this.#memory, this.#rates);
      return finding === undefined || this.#isQuiet(finding, step) ? [] : [this.#report({ ...finding, step })];
    });
  }

  #notFinite(numbers: Readonly<Record<string, number | undefined>>): Finding[] {
    const { step, firstStep } = this.#memory;
    const figures = Object.fromEntries(
      Object.entries(numbers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
    );
    const list = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
    const finding = {
      kind: "not-finite",
      severity: "critical",
      step,
      lastGoodStep: Math.max(firstStep, step - 1),
      figures,
      message: `expected finite numbers, got ${list.join(", ")}`,
      advice: `${lowerRate(this.#rates, 10)}, or look for extreme values in the dataset`,
    } as const;
    return this.#isQuiet(finding, step) ? [] : [this.#report(finding)];
  }

  #isQuiet({ kind, severity }: Pick<Finding, "kind" | "severity">, step: number): boolean {
    const last = this.#reported[kind as FindingKind];
    if (last === undefined || (last.severity === "warning" && severity === "critical")) return false;
    return step - last.step < Math.max(QUIET_STEPS, QUIET_SHARE * this.#rates.numSteps);
  }

  #report(finding: Finding): Finding {
    this.#reported[finding.kind] = { step: finding.step, severity: finding.severity };
    return finding;
  }

  #expectNext(step: number, next: number): void {
    if (step !== next) throw new Error(`internal: HealthWatch.observe: expected step ${next}, got ${step}`);
  }
}

const areFinite = (values: readonly (number | undefined)[]): boolean =>
  values.every((value) => value === undefined || Number.isFinite(value));

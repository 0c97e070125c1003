/**
 * The loop of several students on one teacher: each step poses one problem (one prefix, one solve of the teacher, one set of
 * noises and times), which every student answers and learns from by itself.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ProcessorBatch } from "../../policy/processors/run-pipeline.js";
import { deriveSeed } from "../../support/derive-seed.js";
import { DivergedError } from "../../support/errors.js";
import { backward, divScalar, Generator, noGrad, scope, synchronize } from "../../torch/index.js";
import type { Finding } from "../health/index.js";
import type { Problem, VelocityMatching } from "../objectives/velocity-matching.js";
import type { RunBatches } from "../run-batches.js";
import { updateParameters } from "../update-parameters.js";
import type { Arm } from "./arm.js";
import { type ArmStep, ArmWatch, lostBecause } from "./arm-watch.js";

export interface ArmsPlan extends RunBatches {
  readonly objective: VelocityMatching;
  readonly arms: readonly Arm[];
  /** batches whose mean gradient makes one step */
  readonly batchesPerStep: number;
  readonly device: string;
  /** of noises and times: what is drawn at a step depends on it and the step alone */
  readonly seed: number;
  readonly numSteps: number;
  /** whether students are measured after a step, counted as done; the first and last are measured always */
  readonly isMeasured: (step: number) => boolean;
  readonly measure: (arm: Arm) => Readonly<Record<string, number>>;
  /** asks the loop to finish its step, measure and stop */
  readonly signal?: AbortSignal | undefined;
}

export type ArmsEvent =
  | {
      readonly kind: "step";
      /** steps done */
      readonly step: number;
      /** of the arms that are still trained */
      readonly arms: readonly ArmStep[];
    }
  | { readonly kind: "finding"; readonly step: number; readonly arm: string; readonly finding: Finding }
  /** an arm is trained no further; its loss of this step is not among those of the step */
  | { readonly kind: "diverged"; readonly step: number; readonly arm: string; readonly message: string }
  | {
      readonly kind: "evaluation";
      readonly step: number;
      readonly arm: string;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | { readonly kind: "interrupted"; readonly step: number };

/** An arm while it is trained. */
interface Runner {
  readonly arm: Arm;
  readonly watch: ArmWatch;
  /** of the batches of the present step */
  losses: number[];
}

/** Trains all arms until the last step or a signal; an arm that diverges ends, the others go on. */
export async function* trainArms(plan: ArmsPlan): AsyncGenerator<ArmsEvent, void, undefined> {
  const { arms, numSteps, batchesPerStep, signal } = plan;
  let runners: readonly Runner[] = arms.map((arm) => ({ arm, watch: new ArmWatch(arm), losses: [] }));
  yield* measureAll(plan, runners, 0);
  for (let step = 0; step < numSteps && runners.length > 0; step++) {
    const batches: ProcessorBatch[] = [];
    for (let i = 0; i < batchesPerStep; i++) batches.push(await plan.batches.next(step * batchesPerStep + i));
    const outcomes = armsStep(plan, runners, batches, step);
    const numDone = step + 1;
    yield { kind: "step", step: numDone, arms: outcomes.flatMap(({ done }) => (done ? [done] : [])) };
    for (const { runner, findings, lost } of outcomes) {
      for (const finding of findings) yield { kind: "finding", step: numDone, arm: runner.arm.name, finding };
      if (lost !== undefined) yield { kind: "diverged", step: numDone, arm: runner.arm.name, message: lost };
    }
    runners = outcomes.flatMap(({ runner, lost }) => (lost === undefined ? [runner] : []));
    await nextTurn(); // signals arrive here
    const isInterrupted = signal?.aborted === true && numDone < numSteps;
    if (isInterrupted || numDone === numSteps || plan.isMeasured(numDone)) yield* measureAll(plan, runners, numDone);
    if (isInterrupted) {
      yield { kind: "interrupted", step: numDone };
      return;
    }
  }
}

function* measureAll({ measure }: ArmsPlan, runners: readonly Runner[], step: number): Iterable<ArmsEvent> {
  for (const { arm } of runners) yield { kind: "evaluation", step, arm: arm.name, metrics: measure(arm) };
}

interface Outcome {
  readonly runner: Runner;
  /** undefined for a step that gave no finite numbers */
  readonly done: ArmStep | undefined;
  readonly findings: readonly Finding[];
  /** why the arm ends */
  readonly lost: string | undefined;
}

function armsStep(
  plan: ArmsPlan,
  runners: readonly Runner[],
  batches: readonly ProcessorBatch[],
  step: number,
): readonly Outcome[] {
  for (const runner of runners) runner.losses = [];
  const outcomes: Outcome[] = [];
  for (const [i, batch] of batches.entries()) {
    scope(() => {
      const place = step * plan.batchesPerStep + i;
      using generator = new Generator(deriveSeed(plan.seed, "step", place));
      const problem = plan.objective.pose(plan.toDevice(batch, place, step), generator);
      for (const runner of runners) {
        answer(plan, runner, problem);
        if (i === batches.length - 1) outcomes.push(update(runner, step));
      }
    });
  }
  synchronize(plan.device);
  return outcomes;
}

/** Adds a problem's share of the step's gradient to a student's parameters. */
function answer({ objective, batchesPerStep }: ArmsPlan, { arm, losses }: Runner, problem: Problem): void {
  scope(() => {
    const { loss } = objective.lossOf(asSeenBy(arm, problem), arm.policy.model);
    backward(batchesPerStep === 1 ? loss : divScalar(loss, batchesPerStep));
    losses.push(loss.item());
  });
}

/** A student with a vision-language model of its own encodes images and language itself. */
function asSeenBy({ sharesContext, policy }: Arm, problem: Problem): Problem {
  if (sharesContext) return problem;
  const context = policy.config.trainExpertOnly
    ? noGrad(() => scope(() => policy.model.encodeContext(problem.input)))
    : undefined;
  return { ...problem, context };
}

function update(runner: Runner, step: number): Outcome {
  const { arm, watch, losses } = runner;
  const loss = losses.reduce((sum, value) => sum + value, 0) / losses.length;
  const learningRate = arm.schedule(step);
  try {
    watch.beforeUpdate(step);
    const gradNorm = scope(() => updateParameters(arm, loss, learningRate, step));
    const done = { arm: arm.name, loss, gradNorm, learningRate };
    const findings = watch.afterUpdate(step + 1, done);
    return { runner, done, findings, lost: lostBecause(findings) };
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error;
    return { runner, done: undefined, findings: [], lost: error.message };
  }
}

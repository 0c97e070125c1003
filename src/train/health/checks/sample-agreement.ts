import type { RunMemory, SampleAgreement } from "../run-memory.js";
import { type Check, figure, lowerRate } from "./check.js";

/** At evaluations alone: the last one, if it belongs to this step and is not the one that others are compared with. */
function lastEvaluation({ firstEvaluation, lastEvaluation, step }: RunMemory): SampleAgreement[] {
  if (lastEvaluation === null || lastEvaluation.step !== step || firstEvaluation === null) return [];
  return firstEvaluation.step === lastEvaluation.step ? [] : lastEvaluation.agreement;
}

const firstOf = ({ firstEvaluation }: RunMemory, numSteps: number): SampleAgreement | undefined =>
  firstEvaluation?.agreement.find((first) => first.numSteps === numSteps);

const lastGoodStep = ({ firstEvaluation }: RunMemory): number => firstEvaluation?.step ?? 0;

/** Worse by a factor, and by a part of the actions' size; ten-step samples begin at no error at all. */
const WARNING = { factor: 1.3, more: 0.1 };
const CRITICAL = { factor: 2, more: 0.25 };

/**
 * At every number of steps that is measured, samples are well farther from the teacher's than at the first evaluation. A run
 * that gains at some number of steps and loses at others (training for one step alone) is not meant.
 */
export const driftFromTeacher: Check = (memory, rates) => {
  const errors = lastEvaluation(memory).flatMap(({ numSteps, relativeError: error }) => {
    const first = firstOf(memory, numSteps)?.relativeError;
    return error === undefined || first === undefined ? [] : [{ numSteps, error, first }];
  });
  const areAllBeyond = ({ factor, more }: typeof WARNING): boolean =>
    errors.every(({ error, first }) => error > Math.max(factor * first, first + more));
  if (errors.length === 0 || !areAllBeyond(WARNING)) return undefined;
  const isCritical = areAllBeyond(CRITICAL);
  const percent = (value: number): string => `${figure(100 * value)} %`;
  const list = errors.map(
    ({ numSteps, error, first }) => `${percent(error)} at ${countSteps(numSteps)} (${percent(first)} at first)`,
  );
  return {
    kind: "drift-from-teacher",
    severity: isCritical ? "critical" : "warning",
    lastGoodStep: lastGoodStep(memory),
    figures: Object.fromEntries(errors.map(({ numSteps, error }) => [`relativeErrorAt${numSteps}`, error])),
    message: `sampled actions have drifted away from the teacher's: relative error ${list.join(", ")}`,
    advice: `${lowerRate(rates, isCritical ? 10 : 3)}. If the loss is falling all the same, the targets are wrong`,
  };
};

const countSteps = (count: number): string => (count === 1 ? "one step" : `${count} steps`);

/** The evaluation with most steps: with one or two, a policy that has not been straightened ignores its noise too. */
function atMostSteps(memory: RunMemory): SampleAgreement | undefined {
  const [most] = lastEvaluation(memory)
    .filter(({ numSteps }) => numSteps >= 5)
    .sort((a, b) => b.numSteps - a.numSteps);
  return most;
}

/** A copy explains 1, a policy that gives its mean action 0; one that is merely wrong can be below 0 but keeps its spread. */
const LITTLE_EXPLAINED = 0.3;
const LITTLE_SPREAD = 0.5;

const ignoresNoise = ({ noiseExplained, spreadRatio }: SampleAgreement): boolean =>
  noiseExplained !== undefined &&
  noiseExplained < LITTLE_EXPLAINED &&
  (spreadRatio === undefined ? noiseExplained > -LITTLE_EXPLAINED : spreadRatio < LITTLE_SPREAD);

/** Samples hardly depend on their noise any more: the policy gives its mean action. */
export const noiseIgnored: Check = (memory) => {
  const most = atMostSteps(memory);
  const first = most && firstOf(memory, most.numSteps);
  if (most === undefined || first === undefined || !ignoresNoise(most) || ignoresNoise(first)) return undefined;
  const spread = most.spreadRatio === undefined ? "" : `, spread ${figure(most.spreadRatio)} of the teacher's`;
  return {
    kind: "noise-ignored",
    severity: "critical",
    lastGoodStep: lastGoodStep(memory),
    figures: { noiseExplained: most.noiseExplained! },
    message:
      `samples of ${countSteps(most.numSteps)} hardly depend on their noise: they explain ${figure(most.noiseExplained!)} of ` +
      `what noise does to the teacher's (1 is a copy, 0 its mean action${spread})`,
    advice: "Look whether noise reaches the student in all action dimensions, and whether pairs belong together",
  };
};

/** Below this a round of reflow should not be followed by another: Lee et al. 2024 and others see variety contract. */
const SPREAD = 0.9;
const SPREAD_LOST = 0.05;

/** Samples for one observation vary less than the teacher's: modes or variety are being lost. */
export const spreadLost: Check = (memory) => {
  const most = atMostSteps(memory);
  const first = most && firstOf(memory, most.numSteps);
  const [spread, before] = [most?.spreadRatio, first?.spreadRatio];
  if (most === undefined || spread === undefined || before === undefined || ignoresNoise(most)) return undefined;
  if (spread >= SPREAD || spread >= before - SPREAD_LOST) return undefined;
  return {
    kind: "spread-lost",
    severity: "warning",
    lastGoodStep: lastGoodStep(memory),
    figures: { spreadRatio: spread, before },
    message:
      `samples of ${countSteps(most.numSteps)} vary less than the teacher's: their spread is ${figure(spread)} of its, ` +
      `${figure(before)} at first`,
    advice:
      "Give the teacher more solver steps (policy.reflow_num_inference_steps), or stop earlier; do not reflow this student again",
  };
};

/** What the watch remembers of a run: all that its checks look at, and all that a resumed run needs. */
import { z } from "zod";
import { mean } from "./robust-statistics.js";

/** Steps of the very beginning whose losses are kept: what the policy was worth before training. */
export const NUM_START = 64;
/** Latest steps that are kept. */
export const NUM_RECENT = 192;
/** Steps of a window whose mean counts as a level. */
export const NUM_LEVEL = 64;
/** Latest measurements of the weights that are kept. */
const NUM_MOVEMENTS = 16;

const agreement = z.strictObject({
  numSteps: z.int().min(1),
  relativeError: z.number().optional(),
  noiseExplained: z.number().optional(),
  spreadRatio: z.number().optional(),
});

/** Agreement of the student's samples with the teacher's at one number of solver steps, see `eval/agreement.ts`. */
export type SampleAgreement = z.infer<typeof agreement>;

const evaluation = z.strictObject({ step: z.int().min(0), agreement: z.array(agreement) });

export const MEMORY = z.strictObject({
  /** steps done before the first that was observed */
  firstStep: z.int().min(0),
  /** steps done */
  step: z.int().min(0),
  /** natural logarithms of the first losses */
  start: z.array(z.number()).max(NUM_START),
  /** natural logarithms of the latest losses and gradient norms, oldest first */
  losses: z.array(z.number()).max(NUM_RECENT),
  gradNorms: z.array(z.number()).max(NUM_RECENT),
  /** the lowest mean of `NUM_LEVEL` losses that lies wholly before the latest `NUM_LEVEL`, and where it ends */
  best: z.strictObject({ level: z.number(), step: z.int() }).nullable(),
  /** of the latest measured updates: relative size, the same per unit of learning rate, share of weights left unmoved */
  movements: z
    .array(
      z.strictObject({ step: z.int(), learningRate: z.number(), relativeUpdate: z.number(), shareUnmoved: z.number() }),
    )
    .max(NUM_MOVEMENTS),
  /** the first evaluation, which others are compared with, and the last */
  firstEvaluation: evaluation.nullable(),
  lastEvaluation: evaluation.nullable(),
});

export type RunMemory = z.infer<typeof MEMORY>;

/** What is told of a step when it is done. */
export interface ObservedStep {
  /** steps done, this one included */
  readonly step: number;
  readonly loss: number;
  /** before clipping */
  readonly gradNorm: number;
  readonly learningRate: number;
  /** of this step's update, where it was measured, see `WeightProbe` */
  readonly weights?: { readonly relativeUpdate: number; readonly shareUnmoved: number } | undefined;
}

export const emptyMemory = (firstStep: number): RunMemory => ({
  firstStep,
  step: firstStep,
  start: [],
  losses: [],
  gradNorms: [],
  best: null,
  movements: [],
  firstEvaluation: null,
  lastEvaluation: null,
});

/** A loss of exactly 0 is a number like any other then, and far below all. */
const SMALLEST = 1e-30;
const logOf = (value: number): number => Math.log(Math.max(value, SMALLEST));

function push<T>(list: T[], value: T, limit: number): void {
  list.push(value);
  if (list.length > limit) list.shift();
}

/** Takes a finite step into the memory. */
export function rememberStep(memory: RunMemory, { step, loss, gradNorm, learningRate, weights }: ObservedStep): void {
  const { start, losses, gradNorms, movements } = memory;
  memory.step = step;
  if (start.length < NUM_START) start.push(logOf(loss));
  push(losses, logOf(loss), NUM_RECENT);
  push(gradNorms, logOf(gradNorm), NUM_RECENT);
  if (weights !== undefined && learningRate > 0) push(movements, { step, learningRate, ...weights }, NUM_MOVEMENTS);
  if (losses.length < 2 * NUM_LEVEL) return;
  const level = mean(losses.slice(-2 * NUM_LEVEL, -NUM_LEVEL));
  if (memory.best === null || level < memory.best.level) memory.best = { level, step: step - NUM_LEVEL };
}

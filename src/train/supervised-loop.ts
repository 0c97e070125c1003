/** The training loop under the eyes of the health watch, which can end it or take it back to where it was good. */
import { DivergedError } from "../support/errors.js";
import type {
  Finding,
  HealthAction,
  HealthGuard,
  HealthWatch,
  SampleAgreement,
  WeightMovement,
} from "./health/index.js";
import { type LoopEvent, type LoopOptions, trainingLoop } from "./loop.js";

export type SupervisedEvent =
  | LoopEvent
  | { readonly kind: "finding"; readonly step: number; readonly finding: Finding }
  | {
      readonly kind: "back-off";
      /** where the run goes on */
      readonly step: number;
      readonly message: string;
    };

export interface Supervision {
  readonly guard: HealthGuard;
  /** replaced when the run goes back */
  watch: HealthWatch;
  /** how far the last update moved the weights, if it was measured */
  readonly weights: () => WeightMovement | undefined;
  /** what the watch is to know of a measurement */
  readonly agreement: (metrics: Readonly<Record<string, number>>) => readonly SampleAgreement[];
  /** Puts the run back to its newest checkpoint of at most so many steps. @returns the steps done there, and its watch */
  readonly goBack: (lastGoodStep: number) => Promise<{ readonly step: number; readonly watch: HealthWatch }>;
  /** the newest checkpoint of at most so many steps, for the message; undefined if there is none */
  readonly goodCheckpoint: (lastGoodStep: number) => string | undefined;
}

/**
 * Trains as `trainingLoop` does. Every step and measurement is shown to the watch before a checkpoint of it is written.
 *
 * @throws DivergedError if a loss is no longer a number, or if the guard decides that the run shall end
 */
export async function* supervisedLoop(
  options: LoopOptions,
  supervision: Supervision,
): AsyncGenerator<SupervisedEvent, void, undefined> {
  const { guard } = supervision;
  let { firstStep } = options;
  if (guard.mode === "backoff" && firstStep === 0 && options.checkpoints) {
    // What the run can go back to, however early it goes wrong.
    yield { kind: "checkpoint", step: 0, path: await options.checkpoints.write(0) };
  }
  for (;;) {
    const schedule = (step: number): number => options.schedule(step) * guard.learningRateFactor;
    const action = yield* watchedLoop({ ...options, firstStep, schedule }, supervision);
    if (action.kind !== "back-off") return;
    const { step, watch } = await supervision.goBack(action.lastGoodStep);
    supervision.watch = watch;
    firstStep = step;
    const message = `${action.message}. Going back to step ${step} with ${action.learningRateFactor} times the learning rate that was set`;
    yield { kind: "back-off", step, message };
  }
}

/** One passage of the loop. @returns what is to be done after it */
async function* watchedLoop(
  options: LoopOptions,
  supervision: Supervision,
): AsyncGenerator<SupervisedEvent, HealthAction, undefined> {
  const { guard, watch } = supervision;
  const loop = trainingLoop(options);
  let step = options.firstStep;
  try {
    for (;;) {
      const next = await nextEvent(loop);
      if (next === undefined) return { kind: "continue" };
      const event = next instanceof DivergedError ? undefined : next;
      if (event) {
        step = event.step;
        yield event;
      }
      const findings = event
        ? findingsOf(event, supervision)
        : watch.observe({
            step: step + 1,
            loss: Number.NaN,
            gradNorm: Number.NaN,
            learningRate: options.schedule(step),
          });
      for (const finding of findings) yield { kind: "finding", step, finding };
      const action = guard.decide(findings);
      if (action.kind === "back-off") return action;
      if (next instanceof DivergedError) throw next;
      if (action.kind === "stop") throw new DivergedError(stopMessage(action, supervision));
    }
  } finally {
    await loop.return();
  }
}

/** The loop's next event, undefined at its end; an error by which it diverged is for the guard to judge. */
async function nextEvent(loop: ReturnType<typeof trainingLoop>): Promise<LoopEvent | DivergedError | undefined> {
  try {
    const { value, done } = await loop.next();
    return done === true ? undefined : value;
  } catch (error) {
    if (error instanceof DivergedError) return error;
    throw error;
  }
}

function findingsOf(event: LoopEvent, { watch, weights, agreement }: Supervision): readonly Finding[] {
  if (event.kind === "evaluation") return watch.observeEvaluation(agreement(event.metrics));
  if (event.kind !== "step") return [];
  const { step, loss, gradNorm, learningRate } = event;
  const movement = weights();
  return watch.observe({ step, loss, gradNorm, learningRate, ...(movement ? { weights: movement } : {}) });
}

function stopMessage(
  { message, lastGoodStep }: Extract<HealthAction, { kind: "stop" }>,
  { goodCheckpoint }: Supervision,
): string {
  const checkpoint = goodCheckpoint(lastGoodStep);
  const where = checkpoint ? `The last good checkpoint is ${checkpoint}` : "There is no checkpoint from before it";
  return `${message}. The run was ended. ${where}`;
}

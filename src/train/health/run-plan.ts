import { ConfigError } from "../../support/errors.js";

/** What a run is going to do: the same when it is resumed. */
export interface RunPlan {
  /** steps in total, those before a resume included */
  readonly numSteps: number;
  /** the learning rate of a step, counted from 0 */
  readonly schedule: (step: number) => number;
}

/** What the checks want to know of a plan. */
export interface LearningRates {
  readonly numSteps: number;
  readonly peak: number;
  /** of the learning rates of all steps: how far a weight can get that is pushed one way by updates of size 1 */
  readonly total: number;
}

/** @throws ConfigError if the plan has no steps or a learning rate that is no number of at least 0 */
export function planLearningRates({ numSteps, schedule }: RunPlan): LearningRates {
  if (!Number.isSafeInteger(numSteps) || numSteps < 1) {
    throw new ConfigError("health", `expected a run of at least 1 step, got ${numSteps}`);
  }
  let [peak, total] = [0, 0];
  for (let step = 0; step < numSteps; step++) {
    const rate = schedule(step);
    if (!(rate >= 0 && Number.isFinite(rate))) {
      throw new ConfigError("health", `expected a learning rate of at least 0 at step ${step}, got ${rate}`);
    }
    peak = Math.max(peak, rate);
    total += rate;
  }
  return { numSteps, peak, total };
}

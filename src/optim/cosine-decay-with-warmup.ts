import { ConfigError } from "../support/errors.js";

export interface CosineDecayOptions {
  readonly peakLr: number;
  readonly decayLr: number;
  readonly numWarmupSteps: number;
  readonly numDecaySteps: number;
}

/**
 * LeRobot's `cosine_decay_with_warmup`: the learning rate of step s = 0, 1, …
 *
 * Linear from peak / (W + 1) over W warm-up steps, then `(peak - decay) * (1 + cos(pi s / D)) / 2 + decay` with s itself in
 * the cosine (not s - W), constant from step D on. In a run shorter than D steps, W and D shrink in proportion.
 *
 * @param numSteps length of the run
 * @throws ConfigError if the peak is below the end, so that the "decay" would rise
 */
export function cosineDecayWithWarmup(options: CosineDecayOptions, numSteps: number): (step: number) => number {
  const { peakLr, decayLr } = options;
  if (peakLr < decayLr) {
    throw new ConfigError(
      "optim.schedule",
      `expected a peak learning rate of at least the final one, got ${peakLr} and ${decayLr}: the "decay" would raise the rate. ` +
        "Lower scheduler_decay_lr or raise optimizer_lr",
    );
  }
  const isShort = numSteps < options.numDecaySteps;
  const numDecaySteps = isShort ? numSteps : options.numDecaySteps;
  const numWarmupSteps = isShort
    ? Math.trunc(options.numWarmupSteps * (numSteps / options.numDecaySteps))
    : options.numWarmupSteps;
  const start = 1 / (numWarmupSteps + 1);
  return (step) => {
    if (step < numWarmupSteps) {
      if (step <= 0) return peakLr * start;
      return peakLr * ((start - 1) * (1 - step / numWarmupSteps) + 1);
    }
    const cosine = 0.5 * (1 + Math.cos((Math.PI * Math.min(step, numDecaySteps)) / numDecaySteps));
    const floor = decayLr / peakLr;
    return peakLr * ((1 - floor) * cosine + floor);
  };
}

import { mean, noiseScale } from "../robust-statistics.js";
import { NUM_LEVEL, type RunMemory } from "../run-memory.js";
import { type Check, figure, lowerRate } from "./check.js";

/** Latest losses that are compared with a reference; those before them must have risen as well. */
const NUM_NOW = NUM_LEVEL / 2;

/**
 * A new learning rate disturbs a trained policy before it improves it: on good runs the typical loss was up to 2.5 times
 * its start for some hundred steps.
 */
const RISE = Math.log(4);
/** From this share of a run on, a smaller rise counts: little time is left to make it good. */
const LATE = 0.75;
const LATE_RISE = Math.log(1.6);
/** Standard errors. The test is repeated at every step of runs of up to 10^5 steps, on noise with long tails. */
const STANDARD_ERRORS = 6;
/**
 * The same against the first loss or two, which are the whole start of a run whose first update does the damage. They are
 * looked at once a run. Low losses are rare: of 10,600 on good runs none lay 4.5 deviations below its neighbours.
 */
const STANDARD_ERRORS_OF_FIRST = 4.5;
const STARTS = [1, 2, 4, 8, 16, 32, 64];
/**
 * Never believe that losses of batches are more alike than this: at the start of good reflows their noise was 0.4 to 0.9, and a
 * start that holds the rise itself cannot tell.
 */
const SMALLEST_NOISE = 0.4;

const CRITICAL_RISE = Math.log(8);

interface Reference {
  readonly level: number;
  /** losses in it */
  readonly count: number;
  readonly where: string;
  readonly lastStep: number;
}

/**
 * The typical (geometric mean) loss is well above what it was at the start, or at its best so far, and stays there.
 *
 * Logarithms are compared because losses of flow matching are spread over orders of magnitude, by time and by sample. The
 * start is looked at over its first 4, 8, ... 64 losses, so that a rise within the first steps is not taken for the start.
 */
export const lossRisen: Check = (memory, rates) => {
  const { losses, start, step } = memory;
  if (losses.length < NUM_LEVEL) return undefined;
  const now = mean(losses.slice(-NUM_NOW));
  const lower = Math.min(now, mean(losses.slice(-NUM_LEVEL, -NUM_NOW)));
  const noise = Math.max(SMALLEST_NOISE, noiseScale(start), noiseScale(losses.slice(-NUM_LEVEL)));
  const isLate = step >= LATE * rates.numSteps;
  const risen = references(memory).flatMap((reference) => {
    const rise = lower - reference.level;
    const errors = rise / (noise * Math.sqrt(1 / NUM_NOW + 1 / reference.count));
    const isStart = reference.lastStep <= memory.firstStep + NUM_LEVEL;
    const needed = isLate && isStart && reference.count >= 16 ? LATE_RISE : RISE;
    return rise >= needed && errors >= (reference.count <= 2 ? STANDARD_ERRORS_OF_FIRST : STANDARD_ERRORS)
      ? [{ ...reference, rise, errors }]
      : [];
  });
  const [worst] = risen.sort((a, b) => b.errors - a.errors);
  if (worst === undefined) return undefined;
  const [typical, before, factor] = [Math.exp(now), Math.exp(worst.level), Math.exp(worst.rise)];
  return {
    kind: "loss-risen",
    severity: worst.rise >= CRITICAL_RISE ? "critical" : "warning",
    lastGoodStep: Math.max(memory.firstStep, Math.min(worst.lastStep, step - NUM_LEVEL)),
    figures: { loss: typical, before, factor, standardErrors: worst.errors },
    message:
      `the loss has risen and stays up: typically ${figure(typical)} over the last ${NUM_NOW} steps, against ` +
      `${figure(before)} ${worst.where} (at least ${figure(factor)} times as much, ${figure(worst.errors)} standard errors)`,
    advice: `The learning rate is too large. ${lowerRate(rates, worst.rise >= CRITICAL_RISE ? 10 : 3)}, or warm up over more steps`,
  };
};

function references({ start, best, firstStep, step }: RunMemory): Reference[] {
  const starts = STARTS.filter((count) => count <= start.length && step >= firstStep + count + NUM_LEVEL).map(
    (count) => ({
      level: mean(start.slice(0, count)),
      count,
      where: `in the first ${count === 1 ? "step" : `${count} steps`}${firstStep > 0 ? ` after step ${firstStep}` : ""}`,
      lastStep: firstStep + count,
    }),
  );
  if (best === null) return starts;
  return [...starts, { level: best.level, count: NUM_LEVEL, where: `around step ${best.step}`, lastStep: best.step }];
}

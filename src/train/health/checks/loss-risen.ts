import { mean, noiseScale } from "../robust-statistics.js";
import { NUM_LEVEL, type RunMemory } from "../run-memory.js";
import { type Check, figure, lowerRate } from "./check.js";

/** Latest losses that are compared with a reference; those before them must have risen as well. */
const NUM_NOW = NUM_LEVEL / 2;

/** A rise must be larger than what is tolerated by so many standard errors. */
interface Limit {
  readonly tolerated: number;
  readonly standardErrors: number;
}

/**
 * A new learning rate disturbs a trained policy before it improves it: on one good run the typical loss was 2.8 times its
 * start for some hundred steps. The standard errors make a factor of 3.4 at least of this one.
 */
const EARLY: Limit = { tolerated: Math.log(2.5), standardErrors: 3 };
/** From this share of a run on, a smaller rise above the start counts: little time is left to make it good. */
const LATE_SHARE = 0.75;
const LATE: Limit = { tolerated: Math.log(1.25), standardErrors: 4 };
const CRITICAL_RISE = Math.log(8);

/**
 * How many of the first losses are taken for the start, each in turn, so that a rise within the first steps is not taken
 * for it. Even a single loss can tell much: of 10,600 on good runs none lay 4.5 deviations below its neighbours.
 */
const STARTS = [1, 2, 4, 8, 16, 32, 64];
/** Fewer losses of the start are too few for small rises. */
const NUM_LATE_START = 16;
/**
 * Never believe that losses of batches are more alike than this: at the start of good reflows their noise was 0.4 to 0.9,
 * and a start that holds the rise itself cannot tell.
 */
const SMALLEST_NOISE = 0.4;

interface Reference {
  readonly level: number;
  /** losses in it */
  readonly count: number;
  readonly where: string;
  readonly lastStep: number;
  readonly isStart: boolean;
}

/**
 * The typical (geometric mean) loss is well above what it was at the start, or at its best so far, and stays there.
 *
 * Logarithms are compared because losses of flow matching are spread over orders of magnitude, by time and by sample.
 */
export const lossRisen: Check = (memory, rates) => {
  const { losses, start, step } = memory;
  if (losses.length < NUM_LEVEL) return undefined;
  const now = mean(losses.slice(-NUM_NOW));
  const lower = Math.min(now, mean(losses.slice(-NUM_LEVEL, -NUM_NOW)));
  const isLate = step >= LATE_SHARE * rates.numSteps;
  const candidates = references(memory).flatMap((reference) => {
    const limit = isLate && reference.isStart && reference.count >= NUM_LATE_START ? LATE : EARLY;
    const rise = lower - reference.level;
    return rise > limit.tolerated ? [{ ...reference, limit, rise }] : [];
  });
  if (candidates.length === 0) return undefined;
  const noise = Math.max(SMALLEST_NOISE, noiseScale(start), noiseScale(losses.slice(-NUM_LEVEL)));
  const risen = candidates.flatMap((reference) => {
    const standardError = noise * Math.sqrt(1 / NUM_NOW + 1 / reference.count);
    const { tolerated, standardErrors } = reference.limit;
    const isBeyond = reference.rise >= tolerated + standardErrors * standardError;
    return isBeyond ? [{ ...reference, errors: reference.rise / standardError }] : [];
  });
  const [worst] = risen.sort((a, b) => b.errors - a.errors);
  if (worst === undefined) return undefined;
  const [typical, before, factor] = [Math.exp(now), Math.exp(worst.level), Math.exp(worst.rise)];
  const isCritical = worst.rise >= CRITICAL_RISE;
  return {
    kind: "loss-risen",
    severity: isCritical ? "critical" : "warning",
    lastGoodStep: Math.max(memory.firstStep, Math.min(worst.lastStep, step - NUM_LEVEL)),
    figures: { loss: typical, before, factor, standardErrors: worst.errors },
    message:
      `the loss has risen and stays up: typically ${figure(typical)} over the last ${NUM_NOW} steps, against ` +
      `${figure(before)} ${worst.where} (at least ${figure(factor)} times as much, ${figure(worst.errors)} standard errors)`,
    advice: `The learning rate is too large. ${lowerRate(rates, isCritical ? 10 : 3)}, or warm up over more steps`,
  };
};

function references({ start, best, firstStep, step }: RunMemory): Reference[] {
  const since = firstStep > 0 ? ` after step ${firstStep}` : "";
  const starts = STARTS.filter((count) => count <= start.length && step >= firstStep + count + NUM_LEVEL).map(
    (count) => ({
      level: mean(start.slice(0, count)),
      count,
      where: `in the first ${count === 1 ? "step" : `${count} steps`}${since}`,
      lastStep: firstStep + count,
      isStart: true,
    }),
  );
  if (best === null) return starts;
  const where = `around step ${best.step - NUM_NOW}`;
  return [...starts, { level: best.level, count: NUM_LEVEL, where, lastStep: best.step, isStart: false }];
}

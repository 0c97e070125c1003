import { deviation, median } from "../robust-statistics.js";
import { type Check, figure, lowerRate } from "./check.js";

const NUM_LATEST = 8;
const NUM_BEFORE = 128;
const NUM_BEFORE_AT_LEAST = 48;
/** Of the latest norms, how many must be out of all proportion: a single batch may be odd. */
const NUM_JUMPED = 6;
const SUSTAINED = { deviations: 6, rise: Math.log(5) };
/** A single norm this far off is no odd batch. */
const HUGE = { deviations: 12, rise: Math.log(1000) };
/** Never believe that gradient norms of batches are more alike than this. */
const SMALLEST_DEVIATION = 0.2;

/**
 * Gradient norms have jumped away from those of the last 128 steps, judged by their median and median deviation of
 * logarithms: several in a row, or one by orders of magnitude.
 */
export const gradientJump: Check = ({ gradNorms, step, firstStep }, rates) => {
  const latest = gradNorms.slice(-NUM_LATEST);
  const before = gradNorms.slice(-NUM_LATEST - NUM_BEFORE, -NUM_LATEST);
  if (before.length < NUM_BEFORE_AT_LEAST) return undefined;
  // What the sorting of nearly all steps would show, at less cost: half of the norms are not that far below the highest.
  const limit = Math.max(...latest) - SUSTAINED.rise;
  if (2 * before.filter((norm) => norm <= limit).length < before.length) return undefined;
  const usual = median(before);
  const unit = Math.max(SMALLEST_DEVIATION, deviation(before));
  const isBeyond = (norm: number, { deviations, rise }: typeof HUGE): boolean =>
    norm - usual >= Math.max(rise, deviations * unit);
  const numJumped = latest.filter((norm) => isBeyond(norm, SUSTAINED)).length;
  const isHuge = isBeyond(latest.at(-1)!, HUGE);
  if (numJumped < NUM_JUMPED && !isHuge) return undefined;
  const typical = isHuge && numJumped < NUM_JUMPED ? latest.at(-1)! : median(latest);
  const factor = Math.exp(typical - usual);
  const what =
    typical === latest.at(-1)! && isHuge ? "the gradient norm has jumped to" : "gradient norms have jumped to";
  return {
    kind: "gradient-jump",
    severity: numJumped >= NUM_JUMPED ? "critical" : "warning",
    lastGoodStep: Math.max(firstStep, step - NUM_LATEST),
    figures: { gradNorm: Math.exp(typical), usual: Math.exp(usual), factor, numJumped },
    message:
      `${what} ${figure(Math.exp(typical))} from a median of ${figure(Math.exp(usual))} (${figure(factor)} times, ` +
      `${figure((typical - usual) / unit)} deviations; ${numJumped} of the last ${NUM_LATEST} steps)`,
    advice: `${lowerRate(rates, 3)}, keep optimizer_grad_clip_norm small, and look for odd values in the dataset if it happens again`,
  };
};

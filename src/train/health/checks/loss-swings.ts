import { fitLine, neighbourCorrelation } from "../robust-statistics.js";
import { type Check, figure, lowerRate } from "./check.js";

const NUM_STEPS = 128;
/** Correlation of neighbours that noise does not reach: its standard deviation is 0.09 over 128 steps. */
const CORRELATION = 0.55;
/** Smaller swings are no harm: standard deviation of the logarithm. */
const SWING = 0.4;
/** Crossings of the trend with room to spare. A single bump, as after warm-up, has two or three. */
const NUM_CROSSINGS = 6;

/**
 * The loss swings around its course more regularly than batches do: up and down in turn, or in waves of several steps,
 * while it does not fall. Noise of batches is independent from step to step.
 */
export const lossSwings: Check = ({ losses, step, firstStep }, rates) => {
  if (losses.length < NUM_STEPS) return undefined;
  const { slope, residuals } = fitLine(losses.slice(-NUM_STEPS));
  const size = Math.sqrt(residuals.reduce((sum, value) => sum + value ** 2, 0) / NUM_STEPS);
  // Wild single values are taken in to the size of large ordinary ones.
  const correlation = neighbourCorrelation(residuals.map((value) => Math.max(-2 * size, Math.min(2 * size, value))));
  const falls = slope * NUM_STEPS <= -size;
  if (falls || size < SWING || Math.abs(correlation) < CORRELATION) return undefined;
  const crossings = countCrossings(residuals, size / 2);
  if (crossings < NUM_CROSSINGS) return undefined;
  const period = Math.max(2, (2 * NUM_STEPS) / crossings);
  return {
    kind: "loss-swings",
    severity: "warning",
    lastGoodStep: Math.max(firstStep, step - NUM_STEPS),
    figures: { swing: Math.exp(size), correlation, period },
    message:
      `the loss swings by a factor of ${figure(Math.exp(size))} around its course with a period of about ${figure(period)} ` +
      `steps, and does not fall (correlation of neighbours ${figure(correlation)} over ${NUM_STEPS} steps; noise has about 0)`,
    advice: `The learning rate is too large for a steady course. ${lowerRate(rates, 3)}`,
  };
};

/** Changes of side, counted when the other side is left by at least `margin`. */
function countCrossings(values: readonly number[], margin: number): number {
  let [side, crossings] = [0, 0];
  for (const value of values) {
    if (Math.abs(value) < margin || Math.sign(value) === side) continue;
    if (side !== 0) crossings += 1;
    side = Math.sign(value);
  }
  return crossings;
}

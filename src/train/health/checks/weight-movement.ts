import { mean, median, noiseScale } from "../robust-statistics.js";
import { NUM_LEVEL, NUM_START, type RunMemory } from "../run-memory.js";
import type { LearningRates } from "../run-plan.js";
import { type Check, figure, lowerRate } from "./check.js";

/** Share of its own size by which one update may change the weights; a thousandth is usual, a hundredth a bold first step. */
const LARGE_UPDATE = 0.1;
/** A third of all weights at once is another network. */
const DESTRUCTIVE_UPDATE = 0.3;

/** The last update changed the weights by a large part of themselves. Needs no statistics, and shows at the first step. */
export const updateTooLarge: Check = ({ movements, step, firstStep }, rates) => {
  const last = movements.at(-1);
  if (last === undefined || last.step !== step || last.relativeUpdate < LARGE_UPDATE) return undefined;
  const percent = 100 * last.relativeUpdate;
  return {
    kind: "update-too-large",
    severity: last.relativeUpdate >= DESTRUCTIVE_UPDATE ? "critical" : "warning",
    lastGoodStep: Math.max(firstStep, step - 1),
    figures: { percent },
    message: `one update changed the trained weights by ${figure(percent)} % of their size (good runs: 0.01 to 2 %)`,
    advice: lowerRate(rates, 10 ** Math.ceil(Math.log10(last.relativeUpdate / 0.02))),
  };
};

/** Steps before which a loss cannot show anything. */
const NUM_STEPS = 2 * NUM_LEVEL;
/**
 * If every update of the run pushed the same way, the weights would move by this part of themselves, and no farther. A good
 * reflow of 400 steps could have moved 2 %, and did gain although its loss hardly showed it.
 */
const FARTHEST = 0.005;
/** A course on which runs of some thousand steps have learnt. */
const FAR_ENOUGH = 1;
/** The largest rate that is advised: SmolVLA's own. */
const LARGEST_ADVICE = 1e-4;

/** The weights hardly move, and the loss does not change: the learning rate is too small to do anything. */
export const standstill: Check = (memory, rates) => {
  const { movements, start, losses, step, firstStep } = memory;
  if (movements.length < 3 || start.length < NUM_START || step < firstStep + NUM_STEPS) return undefined;
  const farthest =
    median(movements.map(({ relativeUpdate, learningRate }) => relativeUpdate / learningRate)) * rates.total;
  if (farthest >= FARTHEST || isLossChanged(memory)) return undefined;
  const percent = 100 * farthest;
  const [before, now] = [Math.exp(mean(start)), Math.exp(mean(losses.slice(-NUM_LEVEL)))];
  return {
    kind: "standstill",
    severity: "warning",
    lastGoodStep: step,
    figures: { percent, before, loss: now },
    message:
      `nothing moves: with every update in the same direction, all ${rates.numSteps} steps together would change the ` +
      `weights by ${figure(percent)} %, and the loss cannot be told from its start (${figure(now)} against ${figure(before)})`,
    advice: `The learning rate is too small. ${raiseRate(rates, farthest)}`,
  };
};

/** Whether the last losses differ from the first by three standard errors. */
function isLossChanged({ start, losses }: RunMemory): boolean {
  const latest = losses.slice(-NUM_LEVEL);
  const noise = Math.max(noiseScale(start), noiseScale(latest));
  return Math.abs(mean(latest) - mean(start)) > 3 * noise * Math.sqrt(1 / latest.length + 1 / start.length);
}

function raiseRate({ peak }: LearningRates, farthest: number): string {
  const wanted = Math.max(2 * peak, Math.min(LARGEST_ADVICE, (peak * FAR_ENOUGH) / farthest));
  return `Raise optimizer_lr from ${figure(peak)} to about ${Number(wanted.toPrecision(1))}`;
}

/** Share of the weights whose updates are lost, in so many measurements running, at a rate near the peak. */
const SHARE_FROZEN = 0.3;
const NUM_FROZEN = 3;
const NEAR_PEAK = 0.1;

/** Updates are smaller than the rounding of the weights, and so are lost instead of adding up. */
export const frozenWeights: Check = ({ movements, step }, rates) => {
  const latest = movements.slice(-NUM_FROZEN);
  const isFrozen = latest.every(
    ({ shareUnmoved, learningRate }) => shareUnmoved >= SHARE_FROZEN && learningRate >= NEAR_PEAK * rates.peak,
  );
  if (latest.length < NUM_FROZEN || latest.at(-1)!.step !== step || !isFrozen) return undefined;
  const percent = 100 * median(latest.map(({ shareUnmoved }) => shareUnmoved));
  const rate = latest.at(-1)!.learningRate;
  return {
    kind: "frozen-weights",
    severity: "warning",
    lastGoodStep: step,
    figures: { percent, learningRate: rate },
    message:
      `at a learning rate of ${figure(rate)}, ${figure(percent)} % of the trained weights do not change at all: their ` +
      "updates are smaller than the rounding of float32 and are lost",
    advice: `The learning rate is too small. ${raiseRate(rates, Number.MIN_VALUE)}`,
  };
};

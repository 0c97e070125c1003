import { fitLine } from "../robust-statistics.js";
import { type Check, figure, lowerRate } from "./check.js";

const NUM_STEPS = 48;
/** Growth within those steps that only a run that diverges has. */
const GROWTH = Math.log(100);
/** Share of the variance that an even growth must explain. */
const EXPLAINED = 0.8;
/** float32 ends at `e^88.7`; a squared gradient at half of that. */
const LARGEST = 88.7;
const LARGEST_GRADIENT = LARGEST / 2;
const NUM_STEPS_AHEAD = 500;

/** Loss or gradient norm grow evenly by a factor per step, and reach the end of float32 soon. */
export const overflowAhead: Check = ({ losses, gradNorms, step, firstStep }, rates) => {
  const courses = [
    { name: "the loss", series: losses, limit: LARGEST },
    { name: "the gradient norm", series: gradNorms, limit: LARGEST_GRADIENT },
  ];
  for (const { name, series, limit } of courses) {
    const latest = series.slice(-NUM_STEPS);
    if (latest.length < NUM_STEPS) continue;
    const { slope, explained } = fitLine(latest);
    const stepsLeft = Math.max(0, (limit - latest.at(-1)!) / slope);
    if (slope * NUM_STEPS < GROWTH || explained < EXPLAINED || stepsLeft > NUM_STEPS_AHEAD) continue;
    const perStep = 100 * (Math.exp(slope) - 1);
    return {
      kind: "overflow-ahead",
      severity: "critical",
      lastGoodStep: Math.max(firstStep, step - NUM_STEPS),
      figures: { percentPerStep: perStep, stepsLeft },
      message:
        `${name} grows by ${figure(perStep)} % a step and will be no number in about ${Math.ceil(stepsLeft)} steps ` +
        `(now ${figure(Math.exp(latest.at(-1)!))})`,
      advice: `The run diverges. ${lowerRate(rates, 10)}`,
    };
  }
  return undefined;
};

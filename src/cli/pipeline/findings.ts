import type { AgreementRow } from "../../eval/index.js";
import type { ComparedPolicy } from "./comparison.js";
import { formatPercent } from "./format-comparison.js";

/** Below this share of the original's spread a flow is losing variety: the usual rule for when to stop straightening. */
const LEAST_SPREAD = 0.9;

const atSteps = (numSteps: number): string => `${numSteps} ${numSteps === 1 ? "step" : "steps"}`;

/**
 * Where straightening has gone too far or done nothing, as sentences: a policy of a stage whose spread is below 0.9 of the
 * original's, at the fewest steps and, if it is meant for more than one, at the most; and one whose error at the fewest
 * steps is not below that of the stage before it.
 *
 * @param straightened from the flow that was straightened first to the last stage, in order
 */
export function findingsOf(rows: readonly AgreementRow[], straightened: readonly ComparedPolicy[]): readonly string[] {
  const stepCounts = [...new Set(rows.map(({ numSteps }) => numSteps))].sort((a, b) => a - b);
  const [fewest, most] = [stepCounts[0]!, stepCounts.at(-1)!];
  const rowOf = (name: string, numSteps: number): AgreementRow =>
    rows.find((row) => row.name === name && row.numSteps === numSteps)!;
  return straightened.flatMap(({ name, isDistilled }, i) => {
    const before = straightened[i - 1];
    if (before === undefined) return [];
    const sentences: string[] = [];
    for (const numSteps of isDistilled ? [fewest] : new Set([fewest, most])) {
      const { spreadRatio } = rowOf(name, numSteps);
      if (spreadRatio === undefined || spreadRatio >= LEAST_SPREAD) continue;
      sentences.push(
        `${name}: spread ${spreadRatio.toFixed(2)} at ${atSteps(numSteps)}, below ${LEAST_SPREAD}. The flow is losing variety: use ` +
          `an earlier stage, or mix in demonstrations (reflow.real.share)`,
      );
    }
    const [error, earlier] = [rowOf(name, fewest).relativeError, rowOf(before.name, fewest).relativeError];
    if (error !== undefined && earlier !== undefined && error >= earlier) {
      sentences.push(
        `${name}: error ${formatPercent(error)} at ${atSteps(fewest)}, not better than ${before.name} (${formatPercent(earlier)}). ` +
          `This stage has not helped: use ${before.name}`,
      );
    }
    return sentences;
  });
}

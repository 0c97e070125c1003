/** Which of several learning rates to take. */

/** What is known of one rate. */
export interface RateOutcome {
  readonly learningRate: number;
  /** lower is better; undefined if it was not measured, as after a divergence */
  readonly score: number | undefined;
  /** stable; showed signs of a rate that is too large; was stopped for them */
  readonly verdict: "stable" | "unstable" | "diverged";
}

export interface Recommendation {
  /** undefined if none of the rates is to be taken */
  readonly learningRate: number | undefined;
  /** why, as sentences */
  readonly reasons: readonly string[];
}

/** Scores this close, as a part of the better one, are taken for equal: one seed tells no more. */
const TIE = 0.02;

/** `2e-5`, with two digits where a rate was computed. */
export const formatRate = (rate: number): string => Number(rate.toPrecision(2)).toExponential();

const percent = (part: number): string => `${Number((100 * part).toPrecision(2))} %`;

/**
 * The largest stable rate whose score is equal to the best of all stable ones, within 2 %, with its margin to its
 * neighbours, and what to try if the best lies at the edge of what was tried.
 *
 * @param outcomes any order
 * @param measure what the score is, in words, such as `held-out error at 1 step`
 * @param untrained score before the first step
 */
export function recommendRate(
  outcomes: readonly RateOutcome[],
  measure: string,
  untrained: number | undefined,
): Recommendation {
  const sorted = [...outcomes].sort((a, b) => a.learningRate - b.learningRate);
  const isUsable = ({ verdict, score }: RateOutcome): boolean =>
    verdict === "stable" && score !== undefined && Number.isFinite(score);
  const usable = sorted.filter(isUsable) as (RateOutcome & { readonly score: number })[];
  if (usable.length === 0) {
    const lowest = sorted[0]!.learningRate;
    return {
      learningRate: undefined,
      reasons: [
        `no rate was stable to the end. Try lower ones: --lrs=${[10, 5, 2].map((part) => formatRate(lowest / part)).join()}`,
      ],
    };
  }
  const best = Math.min(...usable.map(({ score }) => score));
  const chosen = usable.filter(({ score }) => score <= best * (1 + TIE)).at(-1)!;
  const place = sorted.indexOf(chosen);
  const reasons = [
    `it has the best ${measure} of the stable rates (${Number(chosen.score.toPrecision(3))})` +
      (chosen.score > best ? `, up to the ${percent(TIE)} that count as equal, and is the largest of those` : ""),
    ...neighbours(chosen, sorted[place - 1], sorted[place + 1]),
  ];
  if (untrained !== undefined && chosen.score >= untrained) {
    reasons.push(
      `no rate got better than the untrained student (${Number(untrained.toPrecision(3))}): the sweep is too short to decide. Give more --steps`,
    );
  }
  if (place === sorted.length - 1) {
    reasons.push(
      `it is the largest that was tried: widen the sweep upwards, to ${formatRate(2 * chosen.learningRate)} and above`,
    );
  } else if (place === 0) {
    reasons.push(
      `it is the smallest that was tried: widen the sweep downwards, to ${formatRate(chosen.learningRate / 2)} and below`,
    );
  }
  return { learningRate: chosen.learningRate, reasons };
}

function neighbours(
  chosen: RateOutcome & { readonly score: number },
  below: RateOutcome | undefined,
  above: RateOutcome | undefined,
): readonly string[] {
  return [below, above].flatMap((other) => {
    if (other === undefined) return [];
    if (other.verdict !== "stable") {
      const what = other.verdict === "diverged" ? "diverged" : "was unstable";
      return [`the next ${other === above ? "larger" : "smaller"}, ${formatRate(other.learningRate)}, ${what}`];
    }
    if (other.score === undefined || !Number.isFinite(other.score)) return [];
    const margin = other.score / chosen.score - 1;
    return [
      `the next ${other === above ? "larger" : "smaller"}, ${formatRate(other.learningRate)}, is ${percent(Math.abs(margin))} ${margin < 0 ? "better" : "worse"}`,
    ];
  });
}

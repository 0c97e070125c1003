import { ShapeError } from "../../support/errors.js";

export interface McNemarTest {
  /** episodes in which both succeeded */
  readonly both: number;
  readonly neither: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** success rate of the second less that of the first; undefined for no episodes */
  readonly difference: number | undefined;
  /**
   * how probable so uneven a split, or one more uneven, is if both are equally good; 1 if they never differed. Two-sided,
   * exact
   */
  readonly pValue: number;
}

/**
 * Whether two policies differ, from episodes that began in the same states with the same seeds. Only the episodes in which one
 * succeeded and the other failed say anything: of `n` of those, `k` are the first's,
 * `p = min(1, 2 P(X <= min(k, n - k)))` with `X ~ Binomial(n, 1/2)`.
 *
 * A large p does not say that they are equally good: for that state a margin beforehand, and see whether the interval of the
 * paired differences (`bootstrapInterval`) stays within it. To see 2 points of difference takes thousands of episodes.
 *
 * @param first whether it succeeded, by episode
 * @param second the same episodes
 * @throws ShapeError if they are not as many
 *
 * Reference: McNemar 1947, Psychometrika 12; exact binomial form.
 */
export function mcnemarTest(first: readonly boolean[], second: readonly boolean[]): McNemarTest {
  if (first.length !== second.length) {
    throw new ShapeError(
      `eval.mcnemarTest: expected the same episodes of both, got ${first.length} and ${second.length}`,
    );
  }
  const count = (a: boolean, b: boolean): number => first.filter((value, i) => value === a && second[i] === b).length;
  const [both, neither] = [count(true, true), count(false, false)];
  const [onlyFirst, onlySecond] = [count(true, false), count(false, true)];
  const difference = first.length === 0 ? undefined : (onlySecond - onlyFirst) / first.length;
  return { both, neither, onlyFirst, onlySecond, difference, pValue: pValueOf(onlyFirst, onlySecond) };
}

/** Sums logarithms of binomial coefficients: `2^-n` itself is 0 in floating point from 1075 episodes on. */
function pValueOf(k: number, rest: number): number {
  const n = k + rest;
  let logCoefficient = 0;
  let tail = 0;
  for (let i = 0; i <= Math.min(k, rest); i++) {
    tail += Math.exp(logCoefficient - n * Math.LN2);
    logCoefficient += Math.log((n - i) / (i + 1));
  }
  return Math.min(1, 2 * tail);
}

import { type Interval, type McNemarTest, wilsonInterval } from "../../eval/index.js";

/**
 * The 95 % interval of the difference of two success rates, the second less the first, from the same episodes:
 *
 * `D - sqrt(a^2 - 2 f a b + b^2)` to `D + sqrt(c^2 - 2 f c d + d^2)`, where a and b are how far the Wilson interval reaches below
 * the second rate and above the first, c and d above the second and below the first, and f is the correlation of successes.
 *
 * It has a width also where the two never differed. A bootstrap has none there, and would be certain of anything after three
 * episodes.
 *
 * @returns undefined for no episodes
 *
 * Reference: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
 */
export function pairedDifference({ both, neither, onlyFirst, onlySecond }: McNemarTest): Interval | undefined {
  const n = both + neither + onlyFirst + onlySecond;
  const [first, second] = [wilsonInterval(both + onlyFirst, n), wilsonInterval(both + onlySecond, n)];
  if (first === undefined || second === undefined) return undefined;
  const value = (onlySecond - onlyFirst) / n;
  const correlation = correlationOf(both, neither, onlyFirst, onlySecond);
  const reach = (own: number, other: number): number =>
    Math.sqrt(Math.max(0, own ** 2 - 2 * correlation * own * other + other ** 2));
  return {
    value,
    low: value - reach(second.value - second.low, first.high - first.value),
    high: value + reach(second.high - second.value, first.value - first.low),
  };
}

/** With Newcombe's correction towards 0 for positive correlations; 0 where a rate is 0 or 1. */
function correlationOf(both: number, neither: number, onlyFirst: number, onlySecond: number): number {
  const margins = (both + onlyFirst) * (neither + onlySecond) * (both + onlySecond) * (neither + onlyFirst);
  if (margins === 0) return 0;
  const product = both * neither - onlyFirst * onlySecond;
  const half = (both + neither + onlyFirst + onlySecond) / 2;
  return (product > 0 ? Math.max(product - half, 0) : product) / Math.sqrt(margins);
}

import type { Interval } from "../eval/index.js";

const MINUS = "\u2212";

/** `71 %`, `99.2 %`: as many digits as a share of some hundred things has. */
export const formatShare = (share: number): string => `${(100 * share).toFixed(1).replace(/\.0$/, "")} %`;

/** `71 % (95 %: 61 to 79 %)` */
export const formatShareInterval = (interval: Interval): string =>
  `${formatShare(interval.value)} (95 %: ${formatShare(interval.low).replace(" %", "")} to ${formatShare(interval.high)})`;

/** `+3.0 points`, `-12 points` */
export const formatPoints = (difference: number): string => {
  const points = 100 * difference;
  return `${points < 0 ? MINUS : "+"}${Math.abs(points).toFixed(1).replace(/\.0$/, "")} points`;
};

/** Three significant digits, without an exponent where that is readable. */
export const formatFigure = (value: number): string => {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const isExtreme = value !== 0 && (size < 1e-3 || size >= 1e5);
  return (isExtreme ? value.toExponential(2) : String(Number(value.toPrecision(3)))).replaceAll("-", MINUS);
};

/** `1 step`, `10 steps` */
export const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** A remark as a sentence of its own. */
export function asSentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/** Numbers as the page writes them. */
import type { Interval } from "../src/eval/index.js";

const MINUS = "\u2212";

/** Three significant digits; `–` for what has no value. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const text =
    value !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return text.replace("-", MINUS).replace("e+", "e");
}

/** A share as percent, with as many digits as a share of some hundred things has. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  return `${(100 * share).toFixed(1).replace(/\.0$/, "").replace("-", MINUS)} %`;
}

/** `71 % (61–79 %)` */
export const percentInterval = (interval: Interval | undefined): string =>
  interval === undefined
    ? "–"
    : `${percent(interval.value)} (${percent(interval.low).replace(" %", "")}–${percent(interval.high)})`;

/** `0.71 (0.61 to 0.79)` */
export const figureInterval = (value: number | undefined, interval: Interval | undefined): string =>
  interval === undefined ? figure(value) : `${figure(value)} (${figure(interval.low)} to ${figure(interval.high)})`;

/** A difference of shares in points, with its sign. */
export const points = (difference: number | undefined): string =>
  difference === undefined
    ? "–"
    : `${difference < 0 ? MINUS : "+"}${(100 * Math.abs(difference)).toFixed(1).replace(/\.0$/, "")}`;

/** `12k` for 12 000 */
export const stepTick = (step: number): string =>
  step >= 1000 ? `${Number((step / 1000).toPrecision(3))}k` : `${step}`;

export const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Local date and time of an ISO text; the text itself if it is none. */
export function dateTime(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime())
    ? iso
    : date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

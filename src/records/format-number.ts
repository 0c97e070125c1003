import { formatPythonFloat } from "../support/python-json.js";

/**
 * Numbers as Python's format codes print them, so that log lines match LeRobot's character for character. JavaScript's
 * own `toFixed` and `toExponential` differ in three things: ties (Python rounds them to the even digit), the width of an
 * exponent, and the names of values that are not finite.
 */

const ZEROS = "0".repeat(29);

const nonFinite = (value: number): string => (Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");

/**
 * Rounds half to even. `exact` holds 30 digits more than wanted, enough to tell a tie from its neighbours in double
 * precision; `rounded` is JavaScript's answer, which rounds a tie up.
 */
function roundTieToEven(exact: string, rounded: string): string {
  const kept = exact.slice(0, -30).replace(/\.$/, "");
  const isTie = exact.slice(-30) === `5${ZEROS}`;
  return isTie && Number(kept.at(-1)) % 2 === 0 ? kept : rounded;
}

/** Python's `f"{value:.{digits}f}"`. */
export function formatFixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return nonFinite(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  if (size >= 1e21) return `${sign}${BigInt(size)}${digits > 0 ? `.${"0".repeat(digits)}` : ""}`;
  return sign + roundTieToEven(size.toFixed(digits + 30), size.toFixed(digits));
}

/** Python's `f"{value:.{digits}e}"`: at least two digits of exponent. */
export function formatExponent(value: number, digits: number): string {
  if (!Number.isFinite(value)) return nonFinite(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [exact] = Math.abs(value)
    .toExponential(digits + 30)
    .split("e") as [string];
  const [mantissa, exponent] = Math.abs(value).toExponential(digits).split("e") as [string, string];
  return `${sign}${roundTieToEven(exact, mantissa)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/**
 * A count in thousands, millions, ...: 20100 is `20K`. The unit is chosen before rounding, so 999.6 is `1000`.
 *
 * Reference: `format_big_number` of LeRobot 0.4.4, `utils/utils.py`.
 */
export function formatBigNumber(value: number, digits = 0): string {
  let scaled = value;
  for (const suffix of ["", "K", "M", "B", "T", "Q"]) {
    if (Math.abs(scaled) < 1000) return formatFixed(scaled, digits) + suffix;
    scaled /= 1000;
  }
  return Number.isFinite(scaled) ? formatPythonFloat(scaled) : nonFinite(scaled);
}

/**
 * JSON as Python's `json.dumps(value, indent=n)` prints it, so that a file that was read and written again is the same
 * file, byte for byte. JavaScript alone cannot: it has one kind of number, and prints `4` where Python prints `4.0`.
 */

/** A number that Python holds as a float: prints as `4.0`, `1e-08`, `2.5e-06`. */
export class PythonFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** Python's `repr` of a finite float: both languages print the fewest digits that read back, but in other forms. */
export function formatPythonFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [mantissa, exponentText] = value.toExponential().split("e") as [string, string];
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const digits = String(Math.abs(exponent)).padStart(2, "0");
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`;
  }
  if (exponent < 0) {
    const digits = mantissa.replace("-", "").replace(".", "");
    return `${value < 0 ? "-" : ""}0.${"0".repeat(-exponent - 1)}${digits}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

const escapeNonAscii = (json: string): string =>
  json.replace(/[\u007f-\uffff]/g, (c) => (c === "\u007f" ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`));

/** @param value plain data; `PythonFloat` marks the numbers to print as floats, `undefined` entries are left out */
export function stringifyAsPython(value: unknown, indent: number, margin = ""): string {
  if (value instanceof PythonFloat) return formatPythonFloat(value.value);
  if (typeof value !== "object" || value === null) return escapeNonAscii(JSON.stringify(value));
  const inner = margin + " ".repeat(indent);
  const isList = Array.isArray(value);
  const entries = isList
    ? value.map((entry) => stringifyAsPython(entry, indent, inner))
    : Object.entries(value)
        .filter(([, entry]) => entry !== undefined)
        .map(([key, entry]) => `${escapeNonAscii(JSON.stringify(key))}: ${stringifyAsPython(entry, indent, inner)}`);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  return entries.length === 0
    ? `${open}${close}`
    : `${open}\n${inner}${entries.join(`,\n${inner}`)}\n${margin}${close}`;
}

import { ConfigError } from "../support/errors.js";

/** @throws ConfigError unless the value is a whole number in `[min, max]` */
export function expectInteger(where: string, name: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new ConfigError(where, `expected ${name} to be a whole number ${range}, got ${value}`);
}

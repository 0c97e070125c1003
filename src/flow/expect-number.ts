import { ConfigError } from "../support/errors.js";

/** @throws ConfigError saying what the number should have been, unless it is finite and fits */
export function expectNumber(where: string, name: string, value: number, fits: boolean, expected: string): void {
  if (Number.isFinite(value) && fits) return;
  throw new ConfigError(where, `expected ${name} to be ${expected}, got ${value}`);
}

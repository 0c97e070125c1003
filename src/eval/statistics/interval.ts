import { ConfigError } from "../../support/errors.js";

/** An estimate and the ends of its confidence interval. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** 95 % */
export const DEFAULT_LEVEL = 0.95;

/** @throws ConfigError unless the level is above 0 and below 1 */
export function expectLevel(where: string, level: number): void {
  if (level > 0 && level < 1) return;
  throw new ConfigError(where, `expected level to be above 0 and below 1, got ${level}`);
}

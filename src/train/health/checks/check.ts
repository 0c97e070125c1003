import type { Finding } from "../finding.js";
import type { RunMemory } from "../run-memory.js";
import type { LearningRates } from "../run-plan.js";

/** A pure function of what is remembered; its constants carry their reasons. */
export type Check = (memory: RunMemory, rates: LearningRates) => Omit<Finding, "step"> | undefined;

/** Two digits, as people say numbers: 0.023, 4.5, 120, 1e-9. */
export const figure = (value: number): string => String(Number(value.toPrecision(2)));

/** `Lower optimizer_lr from 0.1 to about 0.01` */
export const lowerRate = ({ peak }: LearningRates, factor: number): string =>
  `Lower optimizer_lr from ${figure(peak)} to about ${figure(peak / factor)}`;

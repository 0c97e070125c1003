import { ConfigError } from "../../support/errors.js";

/** How often a policy can be asked, and how many actions a second that is. */
export interface ControlRate {
  readonly chunkHz: number;
  /** `chunkHz * numActionSteps`, if the robot waits for each chunk and does nothing else */
  readonly controlHz: number;
}

/** @throws ConfigError for a latency of 0 or below and for impossible numbers of steps */
export function controlRate(latencyMs: number, numActionSteps: number): ControlRate {
  const where = "eval.controlRate";
  if (!(latencyMs > 0 && Number.isFinite(latencyMs))) {
    throw new ConfigError(where, `expected latencyMs to be a number above 0, got ${latencyMs}`);
  }
  if (!Number.isSafeInteger(numActionSteps) || numActionSteps < 1) {
    throw new ConfigError(where, `expected numActionSteps to be a whole number of at least 1, got ${numActionSteps}`);
  }
  const chunkHz = 1000 / latencyMs;
  return { chunkHz, controlHz: chunkHz * numActionSteps };
}

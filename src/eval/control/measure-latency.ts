import { ConfigError } from "../../support/errors.js";
import { type LatencyStatistics, latencyStatistics } from "./latency-statistics.js";

export interface LatencyRequest {
  /** one whole call; it says `lap` at the end of each part, such as "prefix" and "expert" */
  readonly call: (lap: (part: string) => void) => void;
  /** milliseconds of a clock that never goes back, such as `() => performance.now()` */
  readonly now: () => number;
  /** waits until the device has done all it was given: before every look at the clock, or a GPU seems infinitely fast */
  readonly settle?: () => void;
  /** calls that do not count; 10 if left out */
  readonly numWarmups?: number;
  /** calls that count; 200 if left out */
  readonly numCalls?: number;
}

export interface Latency {
  /** from the beginning of a call to its end */
  readonly total: LatencyStatistics;
  /** from one lap to the next, by name; medians need not add up to the median of the whole */
  readonly parts: Readonly<Record<string, LatencyStatistics>>;
}

/**
 * How long calls take, whole and in parts. Waiting for the device at each lap makes a call a little slower than it is without
 * laps; for the total alone, call no lap.
 *
 * @throws ConfigError for impossible numbers, a clock that goes back, and parts that differ from call to call
 */
export function measureLatency({
  call,
  now,
  settle = () => {},
  numWarmups = 10,
  numCalls = 200,
}: LatencyRequest): Latency {
  const where = "eval.measureLatency";
  for (const [name, value, minimum] of [["numWarmups", numWarmups, 0] as const, ["numCalls", numCalls, 1] as const]) {
    if (Number.isSafeInteger(value) && value >= minimum) continue;
    throw new ConfigError(where, `expected ${name} to be a whole number of at least ${minimum}, got ${value}`);
  }
  const readClock = (): number => {
    settle();
    return now();
  };
  const totals: number[] = [];
  const parts = new Map<string, number[]>();
  for (let i = 0; i < numWarmups + numCalls; i++) {
    const began = readClock();
    let lapBegan = began;
    call((part) => {
      const time = readClock();
      if (!parts.has(part)) parts.set(part, []);
      parts.get(part)!.push(time - lapBegan);
      lapBegan = time;
    });
    totals.push(readClock() - began);
  }
  const missing = [...parts].find(([, durations]) => durations.length !== totals.length);
  if (missing !== undefined) {
    throw new ConfigError(
      where,
      `expected part "${missing[0]}" once in each of ${totals.length} calls, got it ${missing[1].length} times`,
    );
  }
  const statisticsOf = (durations: readonly number[]): LatencyStatistics => latencyStatistics(durations, numWarmups);
  return {
    total: statisticsOf(totals),
    parts: Object.fromEntries([...parts].map(([part, durations]) => [part, statisticsOf(durations)])),
  };
}

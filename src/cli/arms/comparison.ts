import type { RunArmsOptions } from "./run-arms.js";

export type CompareOptions = Pick<RunArmsOptions, "warnings" | "signal" | "stream">;

/** What a comparison has to say at its end. */
export interface Comparison {
  readonly text: string;
  readonly wasInterrupted: boolean;
}

import type { Fault } from "./fault-at-call.mjs";

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
  readonly seconds: number;
  readonly isTimeout: boolean;
}

export interface ProgramOptions {
  readonly fault?: Fault;
  readonly killAfterSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Runs the compiled `reflow`, with limited memory and time, to its end or to the moment at which it is killed. */
export function runProgram(args: readonly string[], options?: ProgramOptions): Promise<Ended>;

/** Names of the calls that change files which a command makes. `report` is a file for the purpose. */
export function countCalls(
  args: readonly string[],
  report: string,
): Promise<{ readonly calls: readonly string[]; readonly ended: Ended }>;

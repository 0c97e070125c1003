import type { KilledCommand } from "./killed-commands.mjs";

export interface Kills {
  readonly name: string;
  readonly tried: number;
  readonly survived: number;
  readonly atCalls: number;
  readonly runs: number;
  readonly failures: readonly string[];
}

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  /** where everything happens */
  readonly root: string;
  readonly log?: (text: string) => void;
}

/** Kills a command at random moments and lets it go on after each, to the end. */
export function killCommand(command: KilledCommand, options: KillOptions): Promise<Kills>;

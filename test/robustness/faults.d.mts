import type { KilledCommand } from "./killed-commands.mjs";

export interface Faults {
  readonly name: string;
  readonly injected: number;
  readonly named: number;
  readonly endured: number;
  readonly failures: readonly string[];
}

export interface FaultOptions {
  readonly faults: number;
  readonly seed: number;
  /** where everything happens */
  readonly root: string;
  readonly log?: (text: string) => void;
}

/** Lets a command meet a full disk, or a call that fails, at random moments of its writing. */
export function failCommand(command: KilledCommand, options: FaultOptions): Promise<Faults>;

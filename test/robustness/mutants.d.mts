export interface Mutants {
  readonly target: string;
  readonly tried: number;
  readonly read: number;
  readonly refused: number;
  readonly failures: readonly string[];
}

export interface MutantOptions {
  readonly count: number;
  readonly first?: number;
  readonly seed: number;
  /** made by `makeWorld` */
  readonly world: string;
  /** where everything else happens */
  readonly root: string;
}

export const COMMAND_LINES: string;

/** Makes everything that mutants are made of, in a folder that does not exist. */
export function makeWorld(world: string): Promise<void>;

/** Reads mutants of a target in processes of their own. */
export function readMutants(target: string, options: MutantOptions): Promise<Mutants>;

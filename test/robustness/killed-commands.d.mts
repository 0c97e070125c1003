/** A command that writes something which a killed process must not spoil. */
export interface KilledCommand {
  readonly name: string;
  /** of a run that begins in a folder */
  args(folder: string): readonly string[];
  /** what a user gives to go on */
  argsAfterKill(folder: string): readonly string[];
  /** throws if anything that is there is not whole */
  expectReadable(folder: string): Promise<void>;
  /** a digest of what must be equal */
  resultOf(folder: string): string | Promise<string>;
}

/** The commands by name, all if none are named. What they need is made below `root`. */
export function killedCommands(root: string, wanted?: readonly string[]): Promise<readonly KilledCommand[]>;

/**
 * A command of the program as data: what it takes, in words for the user and types for `run`. Help and parsing both derive
 * from it. A command's module imports nothing heavy when it is loaded, so that its help stays instant; what it needs to
 * work it imports inside `run`.
 */

/** Something given by position. */
export interface ArgumentSpec {
  readonly description: string;
  readonly isOptional?: boolean;
  /** takes all that remain; only the last argument can */
  readonly isVariadic?: boolean;
}

/** Something given by name: `--<name> <value>`, or `--<name>` alone for a flag. */
export interface OptionSpec {
  readonly kind: "flag" | "text" | "integer" | "number";
  /** a letter that stands for the name: `-<letter> <value>` */
  readonly short?: string;
  readonly description: string;
  /** what stands for the value in the help; the kind if absent */
  readonly placeholder?: string;
  readonly choices?: readonly string[];
  readonly default?: string | number;
  readonly isRequired?: boolean;
  /** may be given several times; the values become a list */
  readonly isRepeatable?: boolean;
}

/** One line of help about a nested setting. */
export interface SettingSpec {
  /** dotted path, such as `policy.device` */
  readonly name: string;
  readonly description: string;
}

type ArgumentSpecs = Readonly<Record<string, ArgumentSpec>>;
type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type ArgumentValue<Spec extends ArgumentSpec> = Spec extends { readonly isVariadic: true }
  ? readonly string[]
  : Spec extends { readonly isOptional: true }
    ? string | undefined
    : string;

type Scalar<Kind> = Kind extends "flag" ? boolean : Kind extends "text" ? string : number;

type OptionValue<Spec extends OptionSpec> = Spec extends { readonly isRepeatable: true }
  ? readonly Scalar<Spec["kind"]>[]
  : Spec extends { readonly kind: "flag" } | { readonly isRequired: true } | { readonly default: string | number }
    ? Scalar<Spec["kind"]>
    : Scalar<Spec["kind"]> | undefined;

/** What a user gave. */
export interface Invocation<
  Arguments extends ArgumentSpecs = ArgumentSpecs,
  Options extends OptionSpecs = OptionSpecs,
> {
  readonly arguments: { readonly [Name in keyof Arguments]: ArgumentValue<Arguments[Name]> };
  readonly options: { readonly [Name in keyof Options]: OptionValue<Options[Name]> };
  /** nested settings as they were typed, for `readSettings`; empty unless the command takes settings */
  readonly settings: readonly string[];
}

interface CommandSpec<Arguments extends ArgumentSpecs, Options extends OptionSpecs> {
  readonly name: string;
  /** one line, shown in the list of commands */
  readonly summary: string;
  /** paragraphs for the command's own help */
  readonly description?: string;
  readonly arguments?: Arguments;
  readonly options?: Options;
  /** given if the command takes nested settings, `--a.b=value`; lists the most useful ones for the help */
  readonly settings?: readonly SettingSpec[];
  /** complete command lines */
  readonly examples?: readonly string[];
  /** @returns the exit code; 0 if nothing is returned */
  run(invocation: Invocation<Arguments, Options>): Promise<number | undefined> | Promise<void>;
}

/** A command with any arguments and options. */
export type Command = CommandSpec<ArgumentSpecs, OptionSpecs>;

/** A command whose `run` sees the types of what it declares. */
export const defineCommand = <
  const Arguments extends ArgumentSpecs = Readonly<Record<never, never>>,
  const Options extends OptionSpecs = Readonly<Record<never, never>>,
>(
  command: CommandSpec<Arguments, Options>,
): Command => command as unknown as Command;

/** Where a command is found; its module is loaded only when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly load: () => Promise<Command>;
}

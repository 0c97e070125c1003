import { inspect } from "node:util";
import { isUserError } from "../support/errors.js";
import { didYouMean } from "../support/nearest-name.js";
import type { CommandEntry } from "./command.js";
import { formatTable } from "./table.js";

/** What the command line needs from the process around it. */
export interface CommandLineHost {
  readonly version: () => string;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** whether every error shows its stack */
  readonly isDebug: boolean;
}

const EXIT_ERROR = 1;
const EXIT_USAGE = 2;

async function formatHelp(entries: readonly CommandEntry[]): Promise<string> {
  const commands = await Promise.all(entries.map(({ load }) => load()));
  const table = formatTable(commands.map(({ name, summary }) => [`  ${name}`, summary]));
  return [
    "Usage: reflow <command> [options]",
    "",
    "Trains, straightens (reflow), measures and runs SmolVLA robot policies on libtorch.",
    "",
    "Commands:",
    table,
    "",
    '"reflow <command> --help" shows what a command takes; "reflow --version" the version.',
    "Set REFLOW_DEBUG=1 to see where an error comes from.",
    "",
  ].join("\n");
}

/** An error as the user reads it: the message alone if the user can do something about it, everything otherwise. */
export function formatError(error: unknown, isDebug: boolean): string {
  if (isUserError(error)) return isDebug ? inspect(error) : error.message;
  const details = inspect(error);
  return /^(\w*Error: )?internal:/.test(details) ? details : `internal: ${details}`;
}

/** A message says what was given; of a word that nobody could read it keeps the beginning. */
const withoutLongWords = (text: string): string =>
  text.replace(/\S{2000,}/g, (word) => `${word.slice(0, 200)}... (${word.length} letters)`);

/** A parser's refusal or request for help, which it has already written; known by its shape so as not to load the parser. */
const exitCodeOfParser = (error: unknown): number | undefined => {
  const { code, exitCode } = error as { code?: unknown; exitCode?: unknown };
  if (typeof code !== "string" || !code.startsWith("commander.")) return undefined;
  return exitCode === 0 ? 0 : EXIT_USAGE;
};

/**
 * Runs what the arguments ask for.
 *
 * @param argv without the program's own name
 * @returns the exit code: 0, 1 for an error, 2 for arguments that make no sense
 */
export async function runCommandLine(
  argv: readonly string[],
  entries: readonly CommandEntry[],
  host: CommandLineHost,
): Promise<number> {
  const [name, ...args] = argv;
  const writeError = (text: string): void => host.writeError(withoutLongWords(text));
  try {
    if (name === undefined) {
      writeError(await formatHelp(entries));
      return EXIT_USAGE;
    }
    if (name === "--help" || name === "-h" || (name === "help" && args.length === 0)) {
      host.write(await formatHelp(entries));
      return 0;
    }
    if (name === "--version" || name === "-V") {
      host.write(`${host.version()}\n`);
      return 0;
    }
    if (name === "help") return await runCommandLine([args[0]!, "--help"], entries, host);
    const entry = entries.find((candidate) => candidate.name === name);
    if (entry === undefined) {
      const names = entries.map((candidate) => candidate.name);
      const hint = didYouMean(name, names) || `. "reflow --help" lists all commands`;
      writeError(`reflow: expected a command (${names.join(", ")}), got "${name}"${hint}\n`);
      return EXIT_USAGE;
    }
    const [{ parseCommand }, command] = await Promise.all([import("./parse-command.js"), entry.load()]);
    return (await command.run(parseCommand(command, args, { write: host.write, writeError }))) ?? 0;
  } catch (error) {
    const exitCode = exitCodeOfParser(error);
    if (exitCode !== undefined) return exitCode;
    writeError(`${formatError(error, host.isDebug)}\n`);
    return EXIT_ERROR;
  }
}

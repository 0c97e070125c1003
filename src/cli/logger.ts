import { basename } from "node:path";
import { formatLogMessage, type LogLevel } from "../records/log-message.js";

/** Log lines in LeRobot's form: level, time, place in the source, message. */
export interface Logger {
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
}

export interface LoggerOptions {
  /** takes one line without its line break */
  readonly writeLine: (line: string) => void;
  readonly now?: () => Date;
}

/** `file.ts:12` of the first caller outside this module, found in a stack trace. */
function locationIn(stack: string): string {
  // The first line names the error, the next two are this module's own functions.
  const caller = stack.split("\n")[3] ?? "";
  const [, path, line] = /([^\s()]+):(\d+):\d+\)?$/.exec(caller) ?? [];
  return path === undefined ? "" : `${basename(path)}:${line}`;
}

/** A logger that writes lines wherever it is told to. */
export function createLogger({ writeLine, now = () => new Date() }: LoggerOptions): Logger {
  const log = (level: LogLevel, message: string): void =>
    writeLine(formatLogMessage(level, now(), locationIn(new Error().stack ?? ""), message));
  return {
    info: (message) => log("INFO", message),
    warning: (message) => log("WARNING", message),
    error: (message) => log("ERROR", message),
  };
}

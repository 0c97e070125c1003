#!/usr/bin/env node
import { messageOf } from "../support/errors.js";
import { COMMANDS } from "./all-commands.js";
import { runCommandLine } from "./command-line.js";
import { packageVersion } from "./package-version.js";

// The video encoder would print its settings for every episode.
process.env.SVT_LOG ??= "0";

function endWith(message: string): never {
  process.stderr.write(`reflow: ${message}\n`);
  process.exit(1);
}

// A reader that has seen enough, as in `reflow inspect | head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  endWith(`the output cannot be written (${error.message})`);
});
// Whoever read the log is gone, or its disk is full; the work goes on.
process.stderr.on("error", () => {});

// Names are looked up from there, and libtorch ends the process without it.
try {
  process.cwd();
} catch (error) {
  endWith(`the working directory does not exist any more (${messageOf(error)}). Change to another one`);
}

process.exitCode = await runCommandLine(process.argv.slice(2), COMMANDS, {
  version: packageVersion,
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  isDebug: process.env.REFLOW_DEBUG === "1",
});

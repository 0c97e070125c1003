#!/usr/bin/env node
import { COMMANDS } from "./all-commands.js";
import { runCommandLine } from "./command-line.js";
import { packageVersion } from "./package-version.js";

// The video encoder would print its settings for every episode.
process.env.SVT_LOG ??= "0";

// A reader that has seen enough, as in `reflow inspect | head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), COMMANDS, {
  version: packageVersion,
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  isDebug: process.env.REFLOW_DEBUG === "1",
});

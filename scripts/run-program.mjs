// Node built-ins only.
import { spawn } from "node:child_process";

/**
 * Runs a program to its end.
 * @returns {Promise<string>} what it said
 * @throws {Error} what it said, or why it cannot be started, unless it ended with 0
 */
export function runProgram(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
    child.on("error", (error) => fail(new Error(`${command} cannot be started: ${error.message}`)));
    child.on("close", (code) => (code === 0 ? done(text) : fail(new Error(text.trim() || `exit code ${code}`))));
  });
}

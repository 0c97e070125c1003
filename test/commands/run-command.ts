/** Runs a real command as the program does, and catches what it says. */
import { vi } from "vitest";
import type { Command } from "../../src/cli/command.js";
import { runCommandLine } from "../../src/cli/command-line.js";

export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function runCommand(command: Command, args: readonly string[]): Promise<Output> {
  const output = { out: "", err: "" };
  const write = (stream: "out" | "err") => (text: string) => {
    output[stream] += text;
  };
  const log = vi.spyOn(console, "log").mockImplementation((text: string) => write("out")(`${text}\n`));
  const error = vi.spyOn(console, "error").mockImplementation((text: string) => write("err")(`${text}\n`));
  try {
    const entries = [{ name: command.name, load: async () => command }];
    const host = { version: () => "", write: write("out"), writeError: write("err"), isDebug: false };
    return { code: await runCommandLine([command.name, ...args], entries, host), ...output };
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
}

/** Commands that train several students side by side, on the tiny fixture. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import type { Command } from "../../src/cli/command.js";
import { readRecords } from "../../src/records/read-records.js";
import type { RunRecord } from "../../src/records/run-event.js";
import { setNumThreads } from "../../src/torch/index.js";
import { runCommand } from "../commands/run-command.js";
import { DATASET } from "./training-run.js";

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in this process, to its end. */
export async function tryArms(command: Command, folder: string, ...flags: readonly string[]): Promise<Said> {
  setNumThreads(1);
  let log = "";
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    log += String(text);
    return true;
  });
  try {
    const args = [`--dataset.root=${DATASET}`, ...flags, `--output_dir=${folder}`];
    const { code, out, err } = await runCommand(command, args);
    return { code, out, err: log + err };
  } finally {
    stderr.mockRestore();
  }
}

/** Loss, gradient norm and learning rate of every step in a folder's records. */
export async function stepsOf(folder: string): Promise<readonly Readonly<Record<string, number>>[]> {
  const { records } = await readRecords(join(folder, "records.jsonl"));
  return records.flatMap((record) => {
    if (record.event !== "step") return [];
    const { "train/loss": loss, "train/grad_norm": gradNorm, "train/lr": learningRate } = record.metrics;
    return [{ step: record.step, loss: loss!, gradNorm: gradNorm!, learningRate: learningRate! }];
  });
}

export const endOf = async (folder: string): Promise<RunRecord | undefined> =>
  (await readRecords(join(folder, "records.jsonl"))).records.at(-1);

// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
export const resultIn = (folder: string, name: string): any =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));

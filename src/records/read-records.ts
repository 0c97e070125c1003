import { readFile } from "node:fs/promises";
import { CheckpointError, messageOf } from "../support/errors.js";
import { expectFile } from "../support/expect-file.js";
import { type RunRecord, recordFromLine } from "./run-event.js";

export interface RunRecords {
  /** in the order of the file */
  readonly records: readonly RunRecord[];
  /** numbers, from 1, of lines that were torn by a crash or are no records of this version */
  readonly droppedLines: readonly number[];
}

/**
 * The records of a run, without what it has taken back.
 *
 * A run that continues from step N repeats everything after N, so its `run-start` supersedes all earlier records with a
 * later step; one that begins at step 0 supersedes all earlier records. `keepSuperseded` gives back the whole file.
 *
 * @throws CheckpointError if there is no such file
 */
export async function readRecords(
  path: string,
  options: { readonly keepSuperseded?: boolean } = {},
): Promise<RunRecords> {
  let text: string;
  try {
    expectFile(path);
    text = await readFile(path, "utf8");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new CheckpointError(isMissing ? `${path}: file not found` : `${path}: cannot be read (${messageOf(error)})`);
  }
  let records: RunRecord[] = [];
  const droppedLines: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const record = recordFromLine(line);
    if (record === undefined) {
      droppedLines.push(index + 1);
      continue;
    }
    if (record.event === "run-start" && !options.keepSuperseded) records = withoutSuperseded(records, record.step);
    records.push(record);
  }
  return { records, droppedLines };
}

const withoutSuperseded = (records: readonly RunRecord[], startStep: number): RunRecord[] =>
  startStep === 0 ? [] : records.filter(({ step }) => step <= startStep);

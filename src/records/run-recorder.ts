import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError, messageOf } from "../support/errors.js";
import { RECORDS_FILE, type RunEvent, recordToLine } from "./run-event.js";

const LINE_BREAK = 0x0a;

function endsInsideLine(file: number): boolean {
  const { size } = fstatSync(file);
  const last = Buffer.alloc(1);
  return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== LINE_BREAK;
}

/**
 * Appends a run's events to `<run folder>/records.jsonl`.
 *
 * The file only ever grows. A crash can tear at most the last line; whoever appends next starts on a fresh line and the
 * reader drops the torn one. Step metrics reach the disk when the system writes them, all other events at once.
 *
 * A run that continues from step N records a `run-start` at step N; what an earlier attempt recorded after step N stays
 * in the file as evidence and is superseded for the reader (`readRecords`).
 */
export class RunRecorder {
  readonly path: string;
  readonly #file: number;
  readonly #now: () => Date;
  #isInsideLine: boolean;
  #isClosed = false;

  /**
   * Opens the records of a run, creating folder and file if needed.
   *
   * @throws CheckpointError if the file cannot be opened
   */
  constructor(runFolder: string, options: { readonly now?: () => Date } = {}) {
    this.path = join(runFolder, RECORDS_FILE);
    this.#now = options.now ?? (() => new Date());
    try {
      mkdirSync(runFolder, { recursive: true });
      this.#file = openSync(this.path, "a+");
      this.#isInsideLine = endsInsideLine(this.#file);
    } catch (error) {
      throw new CheckpointError(`${this.path}: cannot be opened for writing (${messageOf(error)})`);
    }
  }

  /** Appends one event with the present time. @throws CheckpointError if it cannot be written, for example on a full disk */
  record(event: RunEvent): void {
    if (this.#isClosed) throw new Error("internal: RunRecorder.record: the recorder is closed");
    const line = recordToLine({ ...event, time: this.#now().toISOString() });
    const bytes = Buffer.from(`${this.#isInsideLine ? "\n" : ""}${line}\n`);
    try {
      this.#isInsideLine = true;
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
      this.#isInsideLine = false;
      if (event.event !== "step") fsyncSync(this.#file);
    } catch (error) {
      throw new CheckpointError(`${this.path}: cannot be written (${messageOf(error)})`);
    }
  }

  /** Closes the file; closing again does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

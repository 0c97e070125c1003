import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { CheckpointError, messageOf } from "../../support/errors.js";
import { FILE_HEADER, frameRecord, readFramedRecords } from "./log-frames.js";
import { numberedRecord, readRecord, runRecords } from "./run-records.js";

/** A run's `.wandb` file, open for appending. */
export class WandbFile {
  readonly path: string;
  /** of the last row that the file holds; -1 if it holds none */
  readonly lastStep: number;
  /** of the run when that row was written */
  readonly lastRuntimeS: number;
  readonly #file: number;
  readonly #runId: string;
  #length: number;
  #numRecords: number;

  private constructor(path: string, file: number, runId: string, kept: KeptPart) {
    this.path = path;
    this.lastStep = kept.lastStep;
    this.lastRuntimeS = kept.lastRuntimeS;
    this.#file = file;
    this.#runId = runId;
    this.#length = kept.length;
    this.#numRecords = kept.numRecords;
  }

  /** A new file, which must not exist. @throws CheckpointError */
  static create(path: string, runId: string): WandbFile {
    const nothing = { length: 0, numRecords: 0, lastStep: -1, lastRuntimeS: 0 };
    const file = new WandbFile(
      path,
      attempt(path, () => openSync(path, "wx")),
      runId,
      nothing,
    );
    file.#append(FILE_HEADER);
    file.write(runRecords.header());
    return file;
  }

  /**
   * The file of a run that continues after `step`. What the file holds beyond, the end of the run and what a crash has
   * torn are cut off, so that it is always one whole run and is uploaded as one.
   *
   * @throws CheckpointError if it cannot be read or written, or is no `.wandb` file
   */
  static continueAfter(path: string, runId: string, step: number): WandbFile {
    return attempt(path, () => {
      const kept = keptPart(path, step);
      const file = openSync(path, "r+");
      ftruncateSync(file, kept.length);
      return new WandbFile(path, file, runId, kept);
    });
  }

  /** Appends a record of `runRecords`. @throws CheckpointError */
  write(content: Buffer): void {
    this.#numRecords += 1;
    this.#append(frameRecord(numberedRecord(this.#numRecords, content, this.#runId), this.#length));
  }

  close(): void {
    attempt(this.path, () => closeSync(this.#file));
  }

  #append(bytes: Buffer): void {
    attempt(this.path, () => {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#file, bytes, done, bytes.length - done, this.#length + done);
      }
    });
    this.#length += bytes.length;
  }
}

interface KeptPart {
  readonly length: number;
  readonly numRecords: number;
  readonly lastStep: number;
  readonly lastRuntimeS: number;
}

function keptPart(path: string, step: number): KeptPart {
  const bytes = readFileSync(path);
  if (!bytes.subarray(0, FILE_HEADER.length).equals(FILE_HEADER)) {
    throw new CheckpointError(`${path}: expected a file of Weights & Biases, got one that begins differently`);
  }
  let kept: KeptPart = { length: FILE_HEADER.length, numRecords: 0, lastStep: -1, lastRuntimeS: 0 };
  for (const { record, end } of readFramedRecords(bytes)) {
    const known = readRecord(record);
    if (known.kind === "exit" || (known.kind === "history" && known.step > step)) break;
    kept = { ...kept, length: end, numRecords: kept.numRecords + 1 };
    if (known.kind === "history") {
      kept = { ...kept, lastStep: known.step, lastRuntimeS: known.runtimeS ?? kept.lastRuntimeS };
    }
  }
  return kept;
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(`${path}: cannot be written (${messageOf(error)})`);
  }
}

import { existsSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { evalInfo } from "../rollout/index.js";
import { removeLeftovers, writeFileAtomically } from "../support/atomic-file.js";
import { ConfigError, messageOf } from "../support/errors.js";
import { type LockWords, lockFile } from "../support/folder-lock.js";
import { makeFolder } from "../support/make-folder.js";
import { readJson } from "../support/read-json.js";

/** Seconds between two writings of an evaluation that goes on. */
const PERIOD_S = 2;

const LOCK_WORDS: LockWords = {
  command: "eval",
  activity: "already writing an evaluation to",
  option: "output_dir or output_file",
  kind: "evaluation",
};

type Content = Omit<Parameters<typeof evalInfo>[0], "isPartial">;

/**
 * The file of an evaluation while it goes on: it holds what is known, marked as partial, from the first episode on and at most
 * some seconds old, however the process ends; it is marked as complete at the end.
 */
export class EvalRecord {
  readonly file: string;
  #lastWritten = Number.NEGATIVE_INFINITY;

  /** lets others write the file */
  readonly close: () => void;

  private constructor(file: string, close: () => void) {
    this.file = file;
    this.close = close;
  }

  /**
   * Reserves the file for one process.
   *
   * @param file of an evaluation; its folders are made
   * @throws ConfigError if nothing can be written there, or a complete evaluation would be replaced without being asked to
   * @throws CheckpointError if another process writes it
   */
  static async open(file: string, overwrite: boolean): Promise<EvalRecord> {
    if (!overwrite && (await isWorthKeeping(file))) {
      throw new ConfigError(
        "evaluation settings",
        `expected a place without a complete evaluation or another file, got ${file}. Name another output_dir or output_file, or give --overwrite=true`,
      );
    }
    try {
      await makeFolder(dirname(file));
      await access(dirname(file), constants.W_OK);
      await removeLeftovers(file);
    } catch (error) {
      throw unwritable(file, error);
    }
    return new EvalRecord(file, lockFile(file, LOCK_WORDS));
  }

  /** Notes what is known so far, unless that was done a moment ago. */
  async update(content: () => Content): Promise<void> {
    if (performance.now() - this.#lastWritten >= 1000 * PERIOD_S) await this.write(content(), true);
  }

  async write(content: Content, isPartial: boolean): Promise<void> {
    try {
      await writeFileAtomically(this.file, `${JSON.stringify(evalInfo({ ...content, isPartial }), null, 2)}\n`);
    } catch (error) {
      throw unwritable(this.file, error);
    }
    this.#lastWritten = performance.now();
  }
}

const unwritable = (file: string, error: unknown): ConfigError =>
  new ConfigError("evaluation", `expected ${file} to be a place for a file, got an error (${messageOf(error)})`);

/** Whatever is no partial evaluation may be worth keeping: LeRobot's own, a file of something else. */
async function isWorthKeeping(file: string): Promise<boolean> {
  if (!existsSync(file)) return false;
  const content = (await readJson(file).catch(() => undefined)) as { reflow?: { status?: unknown } } | undefined;
  return content?.reflow?.status !== "partial";
}

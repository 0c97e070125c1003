import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { CheckpointError, messageOf } from "./errors.js";

const LOCK_FILE = ".lock";

/** How a refusal speaks of what holds a folder. */
export interface LockWords {
  /** the command, such as `train` */
  readonly command: string;
  /** what its process does to the folder, such as `already training in` */
  readonly activity: string;
  /** what else could be given, such as `--output_dir` */
  readonly option: string;
  /** what such a process is, such as `training run` */
  readonly kind: string;
  /** class of the error; `CheckpointError` if left out */
  readonly error?: new (
    message: string,
  ) => Error;
}

/** Lock files of this process. Its number alone is no proof: a restarted container gives the same one again. */
const held = new Set<string>();

/**
 * Reserves a folder that exists for one caller of one process: a lock file with this process's number; one whose owner is
 * gone (a killed process) is taken over.
 *
 * @returns what releases it
 * @throws the error that the words say if another has it, or the lock file cannot be written
 */
export function lockFolder(path: string, words: LockWords): () => void {
  const file = resolve(path, LOCK_FILE);
  if (!tryLock(file, words)) {
    const owner = Number(readFileSync(file, "utf8"));
    if (isRunning(owner, file)) throw lockedError(path, owner, file, words);
    rmSync(file, { force: true });
    if (!tryLock(file, words)) throw lockedError(path, Number(readFileSync(file, "utf8")), file, words);
  }
  held.add(file);
  return () => {
    held.delete(file);
    rmSync(file, { force: true });
  };
}

/** @returns false if there is a lock file already */
function tryLock(file: string, { command, error: LockError = CheckpointError }: LockWords): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new LockError(`${command}: ${file} cannot be written (${messageOf(error)})`);
  }
}

/** Whether the process that wrote a lock file still holds it. A file without a number was never finished. */
function isRunning(owner: number, file: string): boolean {
  if (!Number.isSafeInteger(owner) || owner <= 0) return false;
  if (owner === process.pid) return held.has(file);
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const lockedError = (
  path: string,
  owner: number,
  file: string,
  { command, activity, option, kind, error: LockError = CheckpointError }: LockWords,
): Error =>
  new LockError(
    `${command}: process ${owner} is ${activity} ${path}. Wait for it, or choose another ${option}. ` +
      `If that process is no ${kind}, delete ${file}`,
  );

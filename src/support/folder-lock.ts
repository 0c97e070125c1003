import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { leftoversOf, temporaryPathBeside } from "./atomic-file.js";
import { CheckpointError, messageOf } from "./errors.js";
import { expectFile } from "./expect-file.js";
import { isProcessRunning } from "./is-process-running.js";

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
export const lockFolder = (path: string, words: LockWords): (() => void) =>
  lock(resolve(path, ".lock"), { ...words, path });

/** The same for a file that need not exist, in a folder that does. */
export const lockFile = (path: string, words: LockWords): (() => void) =>
  lock(resolve(dirname(path), `.${basename(path)}.lock`), { ...words, path });

interface Request extends LockWords {
  /** what is reserved */
  readonly path: string;
}

function lock(file: string, request: Request): () => void {
  if (!tryLock(file, request)) {
    expectNotRunning(file, request);
    takeOver(file, request);
  }
  held.add(file);
  removeLeftovers(file, request);
  return () => {
    held.delete(file);
    remove(file);
  };
}

/** What killed processes have left of their tries. */
function removeLeftovers(file: string, request: Request): void {
  const guard = guardOf(file);
  for (const left of [...leftoversOf(file), ...leftoversOf(guard)]) remove(left);
  if (!isHeld(guard, ownerOf(guard, request))) remove(guard);
}

/** Held while a lock file is replaced. */
const guardOf = (file: string): string => `${file}.takeover`;

/**
 * Replaces the lock file of a process that is gone. Of several who find it, one does so at a time: whoever comes second sees
 * the first one's.
 */
function takeOver(file: string, request: Request): void {
  const guard = guardOf(file);
  if (!tryLock(guard, request)) {
    expectNotRunning(guard, request);
    rmSync(guard, { force: true });
    if (!tryLock(guard, request)) throw lockedError(ownerOf(guard, request), file, request);
  }
  try {
    expectNotRunning(file, request);
    rmSync(file, { force: true });
    if (!tryLock(file, request)) throw lockedError(ownerOf(file, request), file, request);
  } finally {
    remove(guard);
  }
}

/** Makes a lock file, which has its content from its first moment. @returns false if there is one already */
function tryLock(file: string, request: Request): boolean {
  const { command, error: LockError = CheckpointError } = request;
  const own = temporaryPathBeside(file);
  try {
    writeFileSync(own, String(process.pid), { flag: "wx" });
    linkOrWrite(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new LockError(`${command}: ${file} cannot be written (${messageOf(error)})`);
  } finally {
    remove(own);
  }
}

/** Where there are no hard links, the file is there for a moment before its content is. */
function linkOrWrite(own: string, file: string): void {
  try {
    linkSync(own, file);
  } catch (error) {
    if (!["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
    writeFileSync(file, String(process.pid), { flag: "wx" });
  }
}

/** A file that stays is the next one's to find: it says that nobody holds it. */
function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // What was done under the lock is done.
  }
}

/** The process that wrote a lock file; 0 if the file is gone, or never held a number. */
function ownerOf(file: string, { command, error: LockError = CheckpointError }: Request): number {
  try {
    expectFile(file);
    return Number(readFileSync(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw new LockError(`${command}: ${file} cannot be read (${messageOf(error)})`);
  }
}

function expectNotRunning(file: string, request: Request): void {
  const owner = ownerOf(file, request);
  if (isHeld(file, owner)) throw lockedError(owner, file, request);
}

const isHeld = (file: string, owner: number): boolean =>
  owner === process.pid ? held.has(file) : isProcessRunning(owner);

const lockedError = (
  owner: number,
  file: string,
  { command, activity, option, kind, path, error: LockError = CheckpointError }: Request,
): Error =>
  new LockError(
    `${command}: process ${owner} is ${activity} ${path}. Wait for it, or choose another ${option}. ` +
      `If that process is no ${kind}, delete ${file}`,
  );

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { RECORDS_FILE } from "../records/run-event.js";
import { CheckpointError, messageOf } from "../support/errors.js";
import { CHECKPOINTS } from "./checkpoint.js";

const LOCK_FILE = ".lock";

/** Names that `temporaryPathBeside` gives. */
const isTemporary = (name: string): boolean => /^\..+\.tmp$/.test(name);

export interface RunFolderOptions {
  /** the run in the folder is continued */
  readonly resume: boolean;
  /** a run in the folder is replaced */
  readonly overwrite: boolean;
}

/** A run's folder, reserved for one run of one process until it is released. */
export interface RunFolder {
  readonly path: string;
  /** deletes the run that the folder holds */
  clear(): Promise<void>;
  release(): void;
}

/**
 * Makes or opens the folder of a run, for the caller alone. What it holds stays as it is, except for what a process that
 * was killed while it wrote a checkpoint has left.
 *
 * @throws CheckpointError if it holds a run and neither flag says what to do with it, or if another run works in it
 */
export async function openRunFolder(path: string, options: RunFolderOptions): Promise<RunFolder> {
  const checkpoints = join(path, CHECKPOINTS);
  const records = join(path, RECORDS_FILE);
  const holdsRun = existsSync(checkpoints) || existsSync(records);
  if (holdsRun && !options.resume && !options.overwrite) {
    throw new CheckpointError(
      `train: ${path} already holds a run. Pass --resume=true to continue it, --overwrite=true to start again in its place, or another --output_dir`,
    );
  }
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new CheckpointError(`train: ${path} cannot be made (${messageOf(error)})`);
  }
  const release = lock(path);
  await removeUnfinished(checkpoints);
  return {
    path,
    release,
    clear: async () => {
      await rm(checkpoints, { recursive: true, force: true });
      await rm(records, { force: true });
    },
  };
}

async function removeUnfinished(checkpoints: string): Promise<void> {
  if (!existsSync(checkpoints)) return;
  const names = (await readdir(checkpoints)).filter(isTemporary);
  await Promise.all(names.map((name) => rm(join(checkpoints, name), { recursive: true, force: true })));
}

/** Lock files of this process. Its number alone is no proof: a restarted container gives the same one again. */
const held = new Set<string>();

/**
 * Makes a lock file with this process's number; one whose owner is gone (a killed run) is taken over.
 *
 * @returns what releases it
 */
function lock(path: string): () => void {
  const file = resolve(path, LOCK_FILE);
  if (!tryLock(file)) {
    const owner = Number(readFileSync(file, "utf8"));
    if (isRunning(owner, file)) throw lockedError(path, owner, file);
    rmSync(file, { force: true });
    if (!tryLock(file)) throw lockedError(path, Number(readFileSync(file, "utf8")), file);
  }
  held.add(file);
  return () => {
    held.delete(file);
    rmSync(file, { force: true });
  };
}

/** @returns false if there is a lock file already */
function tryLock(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new CheckpointError(`train: ${file} cannot be written (${messageOf(error)})`);
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

const lockedError = (path: string, owner: number, file: string): CheckpointError =>
  new CheckpointError(
    `train: process ${owner} is already training in ${path}. Wait for it, or choose another --output_dir. ` +
      `If that process is no training run, delete ${file}`,
  );

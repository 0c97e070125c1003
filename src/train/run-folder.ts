import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { RECORDS_FILE } from "../records/run-event.js";
import { CheckpointError, messageOf } from "../support/errors.js";
import { CHECKPOINTS } from "./checkpoint.js";

const LOCK_FILE = ".lock";

export interface RunFolderOptions {
  /** the run in the folder is continued */
  readonly resume: boolean;
  /** a run in the folder is replaced */
  readonly overwrite: boolean;
}

/** A run's folder, reserved for this process until it is released. */
export interface RunFolder {
  readonly path: string;
  release(): void;
}

/**
 * Makes or opens the folder of a run, for this process alone.
 *
 * @throws CheckpointError if it holds a run and neither flag says what to do with it, or if another process works on it
 */
export async function openRunFolder(path: string, options: RunFolderOptions): Promise<RunFolder> {
  const holdsRun = existsSync(join(path, CHECKPOINTS)) || existsSync(join(path, RECORDS_FILE));
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
  const folder = lock(path);
  if (holdsRun && options.overwrite && !options.resume) {
    await rm(join(path, CHECKPOINTS), { recursive: true, force: true });
    await rm(join(path, RECORDS_FILE), { force: true });
  }
  return folder;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

/** A lock file with the owner's process number; one whose owner is gone (a killed run) is taken over. */
function lock(path: string): RunFolder {
  const file = join(path, LOCK_FILE);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      return { path, release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new CheckpointError(`train: ${path} cannot be written to (${messageOf(error)})`);
      }
    }
    const owner = Number(readFileSync(file, "utf8"));
    if (attempt > 0 || (owner !== process.pid && isAlive(owner))) {
      throw new CheckpointError(
        `train: process ${owner} is already training in ${path}. Wait for it, or choose another --output_dir`,
      );
    }
    rmSync(file, { force: true });
  }
}

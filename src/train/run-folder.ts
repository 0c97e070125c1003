import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { RECORDS_FILE } from "../records/run-event.js";
import { removeAtOnce, removeUnfinished } from "../support/atomic-file.js";
import { CheckpointError, messageOf } from "../support/errors.js";
import { type LockWords, lockFolder } from "../support/folder-lock.js";
import { makeFolder } from "../support/make-folder.js";
import { CHECKPOINTS, HEALTH_FILE } from "./checkpoint.js";

const LOCK_WORDS: LockWords = {
  command: "train",
  activity: "already training in",
  option: "--output_dir",
  kind: "training run",
};

/** Where a run's dashboards lie. */
const LOG_FOLDERS = ["tensorboard", "wandb"];

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
    await makeFolder(path);
  } catch (error) {
    throw new CheckpointError(`train: ${path} cannot be made (${messageOf(error)})`);
  }
  const release = lockFolder(path, LOCK_WORDS);
  try {
    for (const folder of [path, checkpoints]) await removeUnfinished(folder);
  } catch (error) {
    release();
    throw new CheckpointError(`train: ${path} cannot be used (${messageOf(error)})`);
  }
  return {
    path,
    release,
    clear: async () => {
      await removeAtOnce(checkpoints);
      await rm(records, { force: true });
      await rm(join(path, HEALTH_FILE), { force: true });
      for (const name of LOG_FOLDERS) await rm(join(path, name), { recursive: true, force: true });
    },
  };
}

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { RECORDS_FILE } from "../../records/run-event.js";
import { removeAtOnce, removeUnfinished, writeFileAtomically } from "../../support/atomic-file.js";
import { CheckpointError, messageOf } from "../../support/errors.js";
import { type LockWords, lockFolder } from "../../support/folder-lock.js";
import { makeFolder } from "../../support/make-folder.js";
import { CHECKPOINTS } from "../../train/checkpoint.js";

const LOCK_WORDS: LockWords = {
  command: "pipeline",
  activity: "already working in",
  option: "--output_dir",
  kind: "pipeline",
};

/** A pipeline's folder, reserved for one process until it is released. */
export interface PipelineFolder {
  readonly path: string;
  /** names of the stages' folders that hold a run, in order, those of the present pipeline or not */
  stageFolders(): Promise<readonly string[]>;
  /** deletes stages, the last first, so that what is left is always the beginning of a pipeline */
  deleteStages(names: readonly string[]): Promise<void>;
  writeJson(name: string, content: unknown): Promise<void>;
  release(): void;
}

const holdsRun = (path: string): boolean => existsSync(join(path, CHECKPOINTS)) || existsSync(join(path, RECORDS_FILE));

/**
 * Makes or opens a pipeline's folder and removes what a killed process has left half done in it.
 *
 * @throws CheckpointError if it cannot be made, if another process works in it, or if it is a training run's
 */
export async function openPipelineFolder(path: string): Promise<PipelineFolder> {
  if (holdsRun(path)) {
    throw new CheckpointError(
      `pipeline: expected a pipeline's folder, got a training run in ${path}. Choose another --output_dir`,
    );
  }
  try {
    await makeFolder(path);
  } catch (error) {
    throw new CheckpointError(`pipeline: ${path} cannot be made (${messageOf(error)})`);
  }
  const release = lockFolder(path, LOCK_WORDS);
  try {
    await removeUnfinished(path);
  } catch (error) {
    release();
    throw new CheckpointError(`pipeline: ${path} cannot be used (${messageOf(error)})`);
  }
  return {
    path,
    release,
    stageFolders: async () =>
      (await readdir(path)).filter((name) => /^\d\d-/.test(name) && holdsRun(join(path, name))).sort(),
    deleteStages: async (names) => {
      for (const name of [...names].sort().reverse()) await removeAtOnce(join(path, name));
    },
    writeJson: async (name, content) => {
      try {
        await writeFileAtomically(join(path, name), `${JSON.stringify(content, null, 2)}\n`);
      } catch (error) {
        throw new CheckpointError(`pipeline: ${join(path, name)} cannot be written (${messageOf(error)})`);
      }
    },
  };
}

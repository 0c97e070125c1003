import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { RECORDS_FILE } from "../../records/run-event.js";
import { CheckpointError, messageOf } from "../../support/errors.js";
import { lockFolder } from "../../support/folder-lock.js";
import { makeFolder } from "../../support/make-folder.js";
import { CHECKPOINTS } from "../../train/checkpoint.js";

/** Below it, the records of each arm. */
export const ARMS = "arms";

/** Files that a command which compares arms leaves in its folder. */
export const resultFiles = (command: string): { readonly json: string; readonly svg: string } => ({
  json: `${command}.json`,
  svg: `${command}.svg`,
});

/** The folder of a comparison, reserved for one process until it is released. */
export interface ArmsFolder {
  readonly path: string;
  /** deletes the results that it holds */
  clear(): Promise<void>;
  release(): void;
}

/**
 * Makes or opens the folder of a comparison. A training run is never replaced.
 *
 * @throws CheckpointError if it holds results that may not be replaced, or anything of a training run, or is in use
 */
export async function openArmsFolder(command: string, path: string, mayReplace: boolean): Promise<ArmsFolder> {
  if ([CHECKPOINTS, RECORDS_FILE].some((name) => existsSync(join(path, name)))) {
    throw new CheckpointError(`${command}: ${path} holds a training run. Choose another --output_dir`);
  }
  const { json, svg } = resultFiles(command);
  const results = [ARMS, json, svg].map((name) => join(path, name));
  if (!mayReplace && results.some((file) => existsSync(file))) {
    throw new CheckpointError(
      `${command}: ${path} already holds results. Pass --overwrite=true to start again in their place, or another --output_dir`,
    );
  }
  try {
    await makeFolder(path);
  } catch (error) {
    throw new CheckpointError(`${command}: ${path} cannot be made (${messageOf(error)})`);
  }
  const release = lockFolder(path, {
    command,
    activity: "already comparing in",
    option: "--output_dir",
    kind: "comparison",
  });
  const clear = async (): Promise<void> => {
    for (const file of results) await rm(file, { recursive: true, force: true });
  };
  return { path, clear, release };
}

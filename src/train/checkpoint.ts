/** Checkpoints of a run in LeRobot's tree, each written completely or not at all. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  removeAtOnce,
  replaceFolder,
  replaceSymlink,
  syncFolder,
  temporaryPathBeside,
  writeFileAtomically,
} from "../support/atomic-file.js";
import { CheckpointError, messageOf } from "../support/errors.js";
import { makeFolder } from "../support/make-folder.js";

export const CHECKPOINTS = "checkpoints";
export const POLICY_FOLDER = "pretrained_model";
export const STATE_FOLDER = "training_state";
/** Our own complete settings of the run, beside LeRobot's `train_config.json`, which cannot hold them. */
export const RUN_CONFIG_FILE = "reflow_train_config.json";

/** What the health watch remembers at a checkpoint; in a run's folder, how often the run was taken back. */
export const HEALTH_FILE = "reflow_health.json";

/** LeRobot's folder name of a step: at least six digits, as many as the last step has. */
export const checkpointName = (step: number, numSteps: number): string =>
  String(step).padStart(Math.max(6, String(numSteps).length), "0");

export interface CheckpointParts {
  /** writes the policy into a folder that exists */
  readonly writePolicy: (folder: string) => Promise<void>;
  /** writes what a resume needs into a folder that exists */
  readonly writeState: (folder: string) => Promise<void>;
}

/**
 * Writes `checkpoints/<step>/{pretrained_model,training_state}` and points `checkpoints/last` to it.
 *
 * Everything is written under a temporary name first; the checkpoint appears in one step, and older ones stay as they are
 * whatever goes wrong before.
 *
 * @returns the checkpoint's folder, relative to the run's
 * @throws CheckpointError saying what could not be written, for example on a full disk
 */
export async function writeCheckpoint(
  runFolder: string,
  step: number,
  numSteps: number,
  parts: CheckpointParts,
): Promise<string> {
  const name = checkpointName(step, numSteps);
  const checkpoints = join(runFolder, CHECKPOINTS);
  const final = join(checkpoints, name);
  const unfinished = temporaryPathBeside(final);
  try {
    for (const [part, write] of [
      [POLICY_FOLDER, parts.writePolicy],
      [STATE_FOLDER, parts.writeState],
    ] as const) {
      await makeFolder(join(unfinished, part));
      await write(join(unfinished, part));
    }
    await syncFolder(unfinished);
    await replaceFolder(unfinished, final);
    await replaceSymlink(name, join(checkpoints, "last"));
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true }).catch(() => {});
    throw new CheckpointError(
      `checkpoint ${final}: cannot be written (${messageOf(error)}). Earlier checkpoints are untouched`,
      { cause: error },
    );
  }
  return join(CHECKPOINTS, name);
}

/** A checkpoint in a run's folder. */
export interface FoundCheckpoint {
  readonly step: number;
  readonly folder: string;
}

/** The complete checkpoints of a run with at most so many steps, oldest first. */
export function checkpointsUpTo(runFolder: string, step: number): readonly FoundCheckpoint[] {
  const folder = join(runFolder, CHECKPOINTS);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return [];
  return readdirSync(folder)
    .filter((name) => /^\d{6,}$/.test(name))
    .map((name) => ({ step: Number(name), folder: join(folder, name) }))
    .filter((checkpoint) => checkpoint.step <= step)
    .sort((a, b) => a.step - b.step);
}

/**
 * The folder of a run's last checkpoint: `checkpoints/last`, or where that leads nowhere, as when the run was killed between
 * a checkpoint and the link to it, the newest one. Nothing says that it exists.
 */
export function lastCheckpointFolder(runFolder: string): string {
  const last = join(runFolder, CHECKPOINTS, "last");
  if (existsSync(last)) return last;
  return checkpointsUpTo(runFolder, Number.POSITIVE_INFINITY).at(-1)?.folder ?? last;
}

/** Makes a checkpoint the run's last, and deletes those after it. */
export async function rollBack(runFolder: string, { step, folder }: FoundCheckpoint): Promise<void> {
  await replaceSymlink(basename(folder), join(runFolder, CHECKPOINTS, "last"));
  const later = checkpointsUpTo(runFolder, Number.POSITIVE_INFINITY).filter((checkpoint) => checkpoint.step > step);
  for (const checkpoint of later) await removeAtOnce(checkpoint.folder);
}

export const writeRunConfig = (folder: string, config: unknown): Promise<void> =>
  writeFileAtomically(join(folder, RUN_CONFIG_FILE), `${JSON.stringify(config, null, 2)}\n`);

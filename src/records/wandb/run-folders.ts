import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { temporaryPathBeside } from "../../support/atomic-file.js";
import { formatTimestamp } from "../log-message.js";

/**
 * The folders in which Weights & Biases keeps runs: `<run folder>/wandb/offline-run-<YYYYMMDD_HHMMSS>-<id>/` with the
 * records in `run-<id>.wandb` and other files in `files/`; `run-...` for one that was sent while it ran.
 */

/** The folder of all of them; `wandb sync` without arguments looks for it. */
export const wandbFolder = (runFolder: string): string => join(runFolder, "wandb");

export const wandbFilePath = (folder: string, runId: string): string => join(folder, `run-${runId}.wandb`);

const PATTERN = /^(?:offline-)?run-(\d{8}_\d{6})-(.+)$/;

/** A folder made before, with its run's id. */
export interface WandbRunFolder {
  readonly path: string;
  readonly runId: string;
}

/** The newest folder that holds a run, of one id or any. */
export function newestRunFolder(runFolder: string, runId?: string): WandbRunFolder | undefined {
  const parent = wandbFolder(runFolder);
  if (!existsSync(parent)) return undefined;
  const found = readdirSync(parent).flatMap((name) => {
    const [, time, id] = PATTERN.exec(name) ?? [];
    if (time === undefined || id === undefined || (runId !== undefined && id !== runId)) return [];
    const path = join(parent, name);
    return existsSync(wandbFilePath(path, id)) ? [{ time, path, runId: id }] : [];
  });
  return found.sort((a, b) => (a.time < b.time ? -1 : 1)).at(-1);
}

/** Makes a run's folder, named by local time as Weights & Biases does. */
export function makeRunFolder(runFolder: string, runId: string, now: Date): string {
  const parent = wandbFolder(runFolder);
  mkdirSync(parent, { recursive: true });
  for (let time = now; ; time = new Date(time.getTime() + 1000)) {
    const stamp = formatTimestamp(time).replace(/[-:]/g, "").replace(" ", "_");
    const path = join(parent, `offline-run-${stamp}-${runId}`);
    if (existsSync(path)) continue;
    mkdirSync(join(path, "files"), { recursive: true });
    return path;
  }
}

/** Points `wandb/latest-run` at a folder: stock LeRobot finds the id of a run to resume there. */
export function linkLatestRun(folder: string): void {
  const link = join(dirname(folder), "latest-run");
  const temporary = temporaryPathBeside(link);
  try {
    symlinkSync(basename(folder), temporary);
    renameSync(temporary, link);
  } catch {
    rmSync(temporary, { force: true }); // a file system without links does without this convenience
  }
}

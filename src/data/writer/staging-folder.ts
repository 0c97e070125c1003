import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { leftoversOf, replaceFolder } from "../../support/atomic-file.js";
import { DatasetError, messageOf } from "../../support/errors.js";
import { type LockWords, lockFolder } from "../../support/folder-lock.js";
import { makeFolder } from "../../support/make-folder.js";

const LOCK_WORDS: LockWords = {
  command: "DatasetWriter.create",
  activity: "already recording in",
  option: "root",
  kind: "recording",
  error: DatasetError,
};

/** A folder beside a dataset's own in which the dataset grows, for one writer alone. */
export interface StagingFolder {
  /** the dataset so far */
  readonly dataset: string;
  /** what is needed until it is complete */
  readonly scratch: string;
  /** Puts the dataset in its place. */
  publish(): Promise<void>;
  /** Deletes everything that is not published, and lets the next writer in. */
  release(): Promise<void>;
}

/** Whether a folder holds nothing. @throws if it cannot be read */
const isEmptyFolder = async (path: string): Promise<boolean> => (await readdir(path)).length === 0;

/** @throws DatasetError if something is at the place of the new dataset that must not be replaced */
async function checkPlace(root: string, mayOverwrite: boolean): Promise<void> {
  if (!existsSync(root)) return;
  const isEmpty = await isEmptyFolder(root).catch(() => undefined);
  if (isEmpty) return;
  const isDataset = isEmpty === false && existsSync(join(root, "meta", "info.json"));
  if (isDataset && mayOverwrite) return;
  const got = isDataset ? "a dataset" : isEmpty === false ? "a folder with other content" : "something else";
  const advice = isDataset
    ? "Pass overwrite: true to replace it, or choose another root"
    : "Choose another root: only datasets are ever replaced";
  throw new DatasetError(`${root}: expected no dataset there yet, got ${got}. ${advice}`);
}

/** Settles what a writer left that was killed while it put its dataset in the place of an older one, which is put back. */
async function settleKilledWriter(target: string): Promise<void> {
  for (const left of leftoversOf(target)) {
    const isOnlyCopy = !existsSync(target) && existsSync(join(left, "meta", "info.json"));
    await (isOnlyCopy ? rename(left, target) : rm(left, { recursive: true, force: true }));
  }
}

/**
 * Makes the folder in which a dataset grows: `.NAME.recording` beside it. What a killed writer left there is deleted.
 *
 * @throws DatasetError if the place is taken, another writer works on it, or nothing can be written there
 */
export async function openStagingFolder(root: string, mayOverwrite: boolean): Promise<StagingFolder> {
  const target = resolve(root);
  try {
    await settleKilledWriter(target);
  } catch (error) {
    throw new DatasetError(`DatasetWriter.create: ${target} cannot be used (${messageOf(error)})`);
  }
  await checkPlace(target, mayOverwrite);
  const staging = join(dirname(target), `.${basename(target)}.recording`);
  const [dataset, scratch] = [join(staging, "dataset"), join(staging, "scratch")];
  const remove = async (path: string): Promise<void> => rm(path, { recursive: true, force: true });
  let unlock: (() => void) | undefined;
  try {
    await makeFolder(staging);
    unlock = lockFolder(staging, LOCK_WORDS);
    for (const path of [dataset, scratch]) {
      await remove(path);
      await mkdir(path);
    }
  } catch (error) {
    unlock?.();
    if (error instanceof DatasetError) throw error;
    throw new DatasetError(`DatasetWriter.create: ${staging} cannot be made (${messageOf(error)})`);
  }
  return {
    dataset,
    scratch,
    async publish() {
      await checkPlace(target, mayOverwrite);
      await replaceFolder(dataset, target);
    },
    async release() {
      await remove(dataset);
      await remove(scratch);
      unlock();
      // Another writer may have moved in by now.
      await rmdir(staging).catch(() => undefined);
    },
  };
}

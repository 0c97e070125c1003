import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isProcessRunning } from "./is-process-running.js";

/** A name beside `path` that no reader takes for a finished file. */
export const temporaryPathBeside = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`);

/** Names that `temporaryPathBeside` gives, with the name they stand beside and the process that gave them. */
const TEMPORARY = /^\.(.+)\.(\d+)-[0-9a-f]+\.tmp$/;

/** Deletes everything half-written in a folder that is reserved for the caller. */
export async function removeUnfinished(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const names = (await readdir(folder)).filter((name) => TEMPORARY.test(name));
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** What processes that do not run any more have left half-written of a file or folder, as paths beside it. */
export function leftoversOf(path: string): readonly string[] {
  const folder = dirname(path);
  if (!existsSync(folder)) return [];
  const isLeft = (name: string): boolean => {
    const [, of, pid] = TEMPORARY.exec(name) ?? [];
    return of === basename(path) && Number(pid) !== process.pid && !isProcessRunning(Number(pid));
  };
  return readdirSync(folder)
    .filter(isLeft)
    .map((name) => join(folder, name));
}

/** Deletes `leftoversOf` a path that is reserved for nobody. */
export async function removeLeftovers(path: string): Promise<void> {
  for (const left of leftoversOf(path)) await rm(left, { recursive: true, force: true });
}

/**
 * Deletes a folder so that it is there whole or not at all, also for whoever is killed on the way: it gets a temporary name
 * first.
 */
export async function removeAtOnce(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const hidden = temporaryPathBeside(path);
  await rename(path, hidden);
  await syncFolder(dirname(path));
  await rm(hidden, { recursive: true, force: true });
}

/**
 * Moves a finished folder to its place; an older one that is there is put back if that fails, else deleted. A process that
 * is killed between the two names leaves the older one under a temporary name.
 */
export async function replaceFolder(folder: string, path: string): Promise<void> {
  const older = existsSync(path) ? temporaryPathBeside(path) : undefined;
  if (older !== undefined) await rename(path, older);
  try {
    await rename(folder, path);
    await syncFolder(dirname(path));
  } catch (error) {
    if (older !== undefined) {
      if (existsSync(path)) await rename(path, folder);
      await rename(older, path);
    }
    throw error;
  }
  // Whatever remains is found under its temporary name.
  if (older !== undefined) await rm(older, { recursive: true, force: true }).catch(() => {});
}

/** Makes the names in a folder durable (a rename is on disk only once its folder is). */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done);
    done += bytesWritten;
  }
}

/**
 * Writes a file so that the path holds either what it held before or the whole new content, also after a crash or on a
 * full disk: temporary file beside it, fsync, rename, fsync of the folder. The temporary file is removed on failure.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | ((write: (bytes: Uint8Array) => Promise<void>) => Promise<void>),
): Promise<void> {
  const temporary = temporaryPathBeside(path);
  try {
    const file = await open(temporary, "wx");
    try {
      if (typeof content === "function") await content((bytes) => writeAll(file, bytes));
      else await writeAll(file, typeof content === "string" ? Buffer.from(content) : content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // what went wrong first is what is told
    throw error;
  }
}

/** Points a symbolic link at `target` (relative to the link's folder), replacing an older link in one step. */
export async function replaceSymlink(target: string, path: string): Promise<void> {
  const temporary = temporaryPathBeside(path);
  try {
    await symlink(target, temporary);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // what went wrong first is what is told
    throw error;
  }
}

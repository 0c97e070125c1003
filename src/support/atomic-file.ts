import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A name beside `path` that no reader takes for a finished file. */
export const temporaryPathBeside = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`);

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
    await rm(temporary, { force: true });
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
    await rm(temporary, { force: true });
    throw error;
  }
}

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder, and those above it that are missing.
 *
 * Node's own `recursive` never returns where a folder cannot be made in one that is there and the system calls that "no such
 * file", as below `/proc`.
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) await mkdir(folder).catch(unlessThere);
  await mkdir(path, { recursive: true }); // makes nothing any more, but refuses a file in the folder's place
}

/** Another process may have made it meanwhile. */
function unlessThere(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
}

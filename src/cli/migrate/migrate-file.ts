import { constants } from "node:fs";
import { chmod, copyFile, readFile, realpath, stat } from "node:fs/promises";
import { writeFileAtomically } from "../../support/atomic-file.js";
import { ConfigError, messageOf } from "../../support/errors.js";
import { type Migration, migrateScript } from "./migrate-script.js";
import { applyEdits, unifiedDiff } from "./unified-diff.js";

export interface MigratedFile extends Migration {
  /** empty if nothing changes */
  readonly diff: string;
  /** where the old script is kept, if the new one was written */
  readonly backup: string | undefined;
}

/** No script is larger; what is has been named by mistake. */
const MOST_BYTES = 10 * 2 ** 20;

async function readScript(path: string): Promise<Buffer> {
  const { size, isFile } = await stat(path).then((found) => ({ size: found.size, isFile: found.isFile() }));
  if (!isFile) throw new ConfigError(path, "expected a shell script, got a folder or a device");
  if (size > MOST_BYTES) throw new ConfigError(path, `expected a shell script, got a file of ${size} bytes`);
  return readFile(path);
}

function textOf(path: string, bytes: Buffer): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch {
    // Reported below.
  }
  throw new ConfigError(path, "expected a shell script in UTF-8, got other bytes");
}

/** Keeps the old script beside the new one. @throws ConfigError if another file is in the way */
async function keep(path: string, old: Buffer): Promise<string> {
  const backup = `${path}.bak`;
  try {
    await copyFile(path, backup, constants.COPYFILE_EXCL);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const isSame = await readFile(backup).then(
      (content) => content.equals(old),
      () => false,
    );
    if (!isSame) {
      throw new ConfigError(
        backup,
        `expected no such file, as the old ${path} is to be kept there, got one. Move it away`,
      );
    }
  }
  return backup;
}

/**
 * Rewrites a training script for `reflow train`.
 *
 * @param isWritten whether the file is changed, at once and with its rights, and the old one kept as `<path>.bak`; a link
 *   stays one, and the file behind it is changed
 * @throws ConfigError if there is no such script, it is none, or it cannot be written
 */
export async function migrateFile(path: string, isWritten: boolean): Promise<MigratedFile> {
  try {
    const real = await realpath(path);
    const bytes = await readScript(real);
    const text = textOf(path, bytes);
    const migration = migrateScript(text, path);
    const diff = unifiedDiff(text, migration.edits, path);
    if (!isWritten || diff === "") return { ...migration, diff, backup: undefined };
    const { mode } = await stat(real);
    const backup = await keep(real, bytes);
    await writeFileAtomically(real, applyEdits(text, migration.edits));
    await chmod(real, mode & 0o7777);
    return { ...migration, diff, backup };
  } catch (error) {
    if (!(error instanceof Error) || !("syscall" in error)) throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new ConfigError(
      path || '""',
      isMissing ? "file not found" : `cannot be read or written (${messageOf(error)})`,
    );
  }
}

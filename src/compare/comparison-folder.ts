import { existsSync } from "node:fs";
import { join } from "node:path";
import { removeLeftovers, writeFileAtomically } from "../support/atomic-file.js";
import { CheckpointError, messageOf } from "../support/errors.js";
import { lockFolder } from "../support/folder-lock.js";
import { makeFolder } from "../support/make-folder.js";
import { readJson } from "../support/read-json.js";
import { COMPARISON_FILE, COMPARISON_FORMAT, type Comparison } from "./comparison.js";
import { readComparison } from "./read-comparison.js";

/** The folder of a comparison, reserved for one process until it is released. */
export interface ComparisonFolder {
  readonly file: string;
  /** what is known already of the same settings and policies */
  readonly known: Comparison | undefined;
  /** replaces the file in one step */
  save(comparison: Comparison): Promise<void>;
  release(): void;
}

export interface ComparisonFolderOptions {
  /** of what is to be measured */
  readonly fingerprint: string;
  /** a comparison in the folder is replaced */
  readonly overwrite: boolean;
}

/**
 * Makes or opens the folder of a comparison.
 *
 * @throws CheckpointError if it holds a comparison that is neither replaced nor continued, or is in use, or cannot be made
 */
export async function openComparisonFolder(
  path: string,
  { fingerprint, overwrite }: ComparisonFolderOptions,
): Promise<ComparisonFolder> {
  const file = join(path, COMPARISON_FILE);
  const known = existsSync(file) ? await whatIsKnown(path, file, fingerprint, overwrite) : undefined;
  try {
    await makeFolder(path);
  } catch (error) {
    throw new CheckpointError(`compare: ${path} cannot be made (${messageOf(error)})`);
  }
  const release = lockFolder(path, {
    command: "compare",
    activity: "already comparing in",
    option: "--output_dir",
    kind: "comparison",
  });
  try {
    await removeLeftovers(file);
  } catch (error) {
    release();
    throw new CheckpointError(`compare: ${path} cannot be used (${messageOf(error)})`);
  }
  const save = async (comparison: Comparison): Promise<void> => {
    try {
      await writeFileAtomically(file, `${JSON.stringify(comparison)}\n`);
    } catch (error) {
      throw new CheckpointError(
        `compare: ${file} cannot be written (${messageOf(error)}). What it held before is untouched`,
        { cause: error },
      );
    }
  };
  return { file, known, save, release };
}

async function whatIsKnown(
  path: string,
  file: string,
  fingerprint: string,
  overwrite: boolean,
): Promise<Comparison | undefined> {
  if (await isOfAnotherKind(file)) {
    throw new CheckpointError(`compare: ${file} is no comparison of policies. Choose another --output_dir`);
  }
  if (overwrite) return undefined;
  const found = await readComparison(file);
  if (found.fingerprint === fingerprint) return found;
  const isFinished = found.status === "complete";
  throw new CheckpointError(
    `compare: ${path} holds ${isFinished ? "a finished" : "an unfinished"} comparison of other settings, policies or data. ` +
      `Give the same again to ${isFinished ? "see" : "continue"} it, --overwrite=true to start in its place, or another --output_dir`,
  );
}

/** A pipeline's file has the same name; a damaged one of ours may be replaced. */
async function isOfAnotherKind(file: string): Promise<boolean> {
  try {
    const { format } = (await readJson(file)) as { format?: unknown };
    return format !== COMPARISON_FORMAT;
  } catch {
    return false;
  }
}

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { isPlainName, matchesPatterns } from "./file-patterns.js";
import { DEFAULT_REVISION, isCommit, type Repository, repositoryFolder } from "./repository.js";

export interface CachedSnapshot {
  readonly folder: string;
  /** whether all files that were asked for are certainly there: only plain names can be checked */
  readonly isComplete: boolean;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function commitOf(repositoryPath: string, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  try {
    const commit = (await readFile(join(repositoryPath, "refs", revision), "utf8")).trim();
    return isCommit(commit) ? commit : undefined;
  } catch {
    return undefined;
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true });
    return entries.map((entry) => entry.replaceAll("\\", "/"));
  } catch {
    return [];
  }
}

/**
 * A repository's snapshot in the shared cache, by whichever tool it was downloaded; undefined if it holds none of the files.
 *
 * @param files patterns of the wanted files; all if left out
 */
export async function findCachedSnapshot(
  cacheFolder: string,
  repository: Repository,
  files?: readonly string[],
): Promise<CachedSnapshot | undefined> {
  const repositoryPath = repositoryFolder(cacheFolder, repository);
  const commit = await commitOf(repositoryPath, repository.revision ?? DEFAULT_REVISION);
  if (commit === undefined) return undefined;
  const folder = join(repositoryPath, "snapshots", commit);
  const present = await filesBelow(folder);
  if (!present.some((path) => matchesPatterns(path, files))) return undefined;
  const areAllPlain = files?.every(isPlainName) ?? false;
  const checks = areAllPlain ? await Promise.all(files!.map((file) => isFile(join(folder, file)))) : [];
  return { folder, isComplete: areAllPlain && checks.every(Boolean) };
}

/** Which folders hold something to report. */
import { existsSync, realpathSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { COMPARISON_FILE } from "../compare/comparison.js";
import { RECORDS_FILE } from "../records/run-event.js";
import { CheckpointError, messageOf } from "../support/errors.js";

export const EVALUATION_FILE = "eval_info.json";
const PIPELINE_FILE = "pipeline.json";

/** Told by the file it holds. A folder may be several sources at once. */
export type SourceKind = "run" | "comparison" | "evaluation";

export interface Source {
  readonly kind: SourceKind;
  readonly folder: string;
  readonly file: string;
  /** unique among all sources of its kind, and short */
  readonly name: string;
}

const FILES: Readonly<Record<SourceKind, string>> = {
  run: RECORDS_FILE,
  comparison: COMPARISON_FILE,
  evaluation: EVALUATION_FILE,
};

/** Folders that only lie below what they belong to: an evaluation's clips, the arms of a sweep. */
const ARMS = "arms";

export interface FoundSources {
  readonly sources: readonly Source[];
  /** folders that hold nothing yet, as far as that was allowed */
  readonly empty: readonly string[];
}

/**
 * Training runs, comparisons and evaluations in folders, each once. A folder that is none itself, a pipeline's and one with arms are
 * taken apart: whatever lies in them directly, in the order of the names, pipelines and sweeps among it in their turn.
 *
 * @param mayBeEmpty whether a folder may be missing or hold nothing, as that of a run that has not begun
 * @throws CheckpointError for a folder that is missing or holds nothing of it, saying what was looked for
 */
export async function findSources(folders: readonly string[], mayBeEmpty = false): Promise<FoundSources> {
  const found: Omit<Source, "name">[] = [];
  const empty: string[] = [];
  const seen = new Set<string>();
  for (const folder of folders) {
    const own = await sourcesIn(folder, mayBeEmpty);
    if (own.length === 0) {
      if (!mayBeEmpty) throw nothingIn(folder);
      empty.push(folder);
    }
    for (const source of own) {
      const file = realpathSync(source.file);
      if (!seen.has(file)) found.push(source);
      seen.add(file);
    }
  }
  return { sources: found.map((source) => ({ ...source, name: nameAmong(source, found) })), empty };
}

async function sourcesIn(folder: string, mayBeMissing: boolean): Promise<Omit<Source, "name">[]> {
  if (!existsSync(folder)) {
    if (mayBeMissing) return [];
    throw new CheckpointError(`report: expected a folder, got ${folder}, which does not exist`);
  }
  if (!statSync(folder).isDirectory()) {
    throw new CheckpointError(`report: expected a folder, got ${folder}, which is a file`);
  }
  if (isTakenApart(folder)) return await partsOf(folder);
  const own = sourcesOf(folder);
  if (own.length > 0) return own;
  const found: Omit<Source, "name">[] = [];
  for (const inner of await foldersIn(folder)) {
    found.push(...(isTakenApart(inner) ? await partsOf(inner) : sourcesOf(inner)));
  }
  return found;
}

/** A pipeline, whose stages lie below it, or a sweep with its arms; never a training run, whatever lies in it. */
const isTakenApart = (folder: string): boolean =>
  !holds(folder, RECORDS_FILE) && (holds(folder, PIPELINE_FILE) || holds(folder, ARMS));

/** What lies directly below such a folder, and what it says itself. */
async function partsOf(folder: string): Promise<Omit<Source, "name">[]> {
  const below = [...(await foldersIn(folder)), ...(await foldersIn(join(folder, ARMS)))];
  return [...below.flatMap(sourcesOf), ...sourcesOf(folder)];
}

const holds = (folder: string, file: string): boolean => existsSync(join(folder, file));

const sourcesOf = (folder: string): Omit<Source, "name">[] =>
  (Object.entries(FILES) as [SourceKind, string][])
    .filter(([, file]) => holds(folder, file))
    .map(([kind, file]) => ({ kind, folder, file: join(folder, file) }));

async function foldersIn(folder: string): Promise<readonly string[]> {
  if (!existsSync(folder)) return [];
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter(({ name }) => !name.startsWith("."))
      .map(({ name }) => join(folder, name))
      .filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
      .sort();
  } catch (error) {
    throw new CheckpointError(`report: ${folder} cannot be read (${messageOf(error)})`);
  }
}

/** The last parts of the folder's path, as many as tell it from others. */
function nameAmong({ folder, kind }: Omit<Source, "name">, all: readonly Omit<Source, "name">[]): string {
  const others = all.filter((other) => other.kind === kind && other.folder !== folder).map((other) => other.folder);
  let [name, rest] = [basename(resolve(folder)), dirname(resolve(folder))];
  const endsAlike = (path: string): boolean => `/${resolve(path)}`.endsWith(`/${name}`);
  while (others.some(endsAlike) && rest !== dirname(rest)) {
    name = `${basename(rest)}/${name}`;
    rest = dirname(rest);
  }
  return name;
}

const nothingIn = (folder: string): CheckpointError =>
  new CheckpointError(
    `report: expected ${folder} to hold ${RECORDS_FILE} (a training run), ${COMPARISON_FILE} (a comparison), ` +
      `${EVALUATION_FILE} (an evaluation) or ${PIPELINE_FILE} (a pipeline), or folders that do, got none of them`,
  );

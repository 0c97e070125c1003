import { join } from "node:path";
import { HubError } from "../support/errors.js";

/** A repository on the Hub at one of its revisions. */
export interface Repository {
  readonly kind: "model" | "dataset";
  /** `owner/name` */
  readonly name: string;
  /** a branch, a tag or a commit; `main` if left out */
  readonly revision?: string | undefined;
}

export const DEFAULT_REVISION = "main";

/** Whether a text has the form of a Hub id: `owner/name` of letters, digits, `-`, `_` and `.`. */
export const isHubId = (text: string): boolean =>
  /^[A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*$/.test(text) && !text.includes("..") && !text.includes("--");

/** @throws HubError for a revision that would lead out of the cache, in which its commit is noted under its name */
export function expectRevision(repository: Repository): void {
  const { revision = DEFAULT_REVISION } = repository;
  const isName = (part: string): boolean => !["", ".", ".."].includes(part) && !/[\\\0]|^[A-Za-z]:/.test(part);
  if (revision.length <= 200 && revision.split("/").every(isName)) return;
  throw new HubError(`${describeRepository(repository)}: expected the name of a branch or tag, or a commit`);
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** The folder of a repository in the shared cache; holds `blobs`, `refs` and `snapshots`. */
export const repositoryFolder = (cacheFolder: string, { kind, name }: Repository): string =>
  join(cacheFolder, `${kind}s--${name.replaceAll("/", "--")}`);

/** The repository in words, for messages. */
export const describeRepository = ({ kind, name, revision }: Repository): string =>
  `${kind} "${name}"${revision === undefined ? "" : ` at revision "${revision}"`}`;

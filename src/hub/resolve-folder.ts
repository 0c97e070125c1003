import { stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { HubError } from "../support/errors.js";
import { type DownloadProgress, downloadFiles } from "./download-files.js";
import { findCachedSnapshot } from "./find-cached-snapshot.js";
import { isTransient } from "./hub-error.js";
import { describeRepository, expectRevision, isHubId, type Repository, repositoryFolder } from "./repository.js";
import { readHubSettings } from "./settings.js";

export interface FolderRequest {
  /** a folder, or a Hub id `owner/name` */
  readonly nameOrPath: string;
  readonly kind: "model" | "dataset";
  /** of the Hub repository: a branch, a tag or a commit; `main` if left out */
  readonly revision?: string | undefined;
  /** folders beside which a relative name may lie too, such as the policy's that names it */
  readonly besides?: readonly string[] | undefined;
  /** patterns of the files that are needed from the Hub; all if left out */
  readonly files?: readonly string[] | undefined;
  readonly onFile?: ((progress: DownloadProgress) => void) | undefined;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/**
 * The folder that a user means by a name: a folder on disk (from the working directory, then inside each folder of `besides`,
 * then, for a dataset, where LeRobot records them), else a repository on the Hub.
 *
 * A repository in the cache is used without the network if it certainly holds all files (they are given by plain names), if
 * `HF_HUB_OFFLINE` is set, or if the Hub cannot be reached. Otherwise what is missing or newer is downloaded.
 *
 * @throws HubError naming every place where it was looked for
 */
export async function resolveFolder(request: FolderRequest): Promise<string> {
  const { nameOrPath } = request;
  if (nameOrPath === "") throw new HubError(`expected the name of a ${request.kind}, got an empty text`);
  const recorded = request.kind === "dataset" ? [readHubSettings().lerobotFolder] : [];
  const bases = isAbsolute(nameOrPath) ? [process.cwd()] : [process.cwd(), ...(request.besides ?? []), ...recorded];
  const candidates = [...new Set(bases.map((base) => resolve(base, nameOrPath)))];
  for (const candidate of candidates) {
    if (await isFolder(candidate)) return candidate;
  }
  if (!isHubId(nameOrPath)) {
    throw new HubError(
      `${request.kind} "${nameOrPath}": expected a folder or a Hub id such as owner/name, got neither. ` +
        `Looked for ${candidates.join(", ")}`,
    );
  }
  try {
    return await fromHub({ kind: request.kind, name: nameOrPath, revision: request.revision }, request);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    throw new HubError(`${error.message}. Not a folder either: looked for ${candidates.join(", ")}`, {
      ...(error.status === undefined ? {} : { status: error.status }),
      ...(error.url === undefined ? {} : { url: error.url }),
      cause: error,
    });
  }
}

async function fromHub(repository: Repository, { files, onFile }: FolderRequest): Promise<string> {
  expectRevision(repository);
  const { cacheFolder, isOffline } = readHubSettings();
  const cached = await findCachedSnapshot(cacheFolder, repository, files);
  if (cached !== undefined && (cached.isComplete || isOffline)) return cached.folder;
  if (isOffline) {
    throw new HubError(
      `${describeRepository(repository)}: expected it in the cache (${repositoryFolder(cacheFolder, repository)}), got nothing, ` +
        "and HF_HUB_OFFLINE is set. Unset it to download, or give a local folder",
    );
  }
  try {
    return await downloadFiles({ ...repository, files, onFile });
  } catch (error) {
    if (cached !== undefined && error instanceof HubError && isTransient(error)) return cached.folder;
    throw error;
  }
}

import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { datasetInfo, type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub";
import { writeFileAtomically } from "../support/atomic-file.js";
import { HubError } from "../support/errors.js";
import { makeFolder } from "../support/make-folder.js";
import { downloadFile, type HubAccess } from "./download-file.js";
import { matchesPatterns } from "./file-patterns.js";
import { guardedFetch } from "./guarded-fetch.js";
import { isTransient, toHubError } from "./hub-error.js";
import {
  DEFAULT_REVISION,
  describeRepository,
  expectRevision,
  isCommit,
  isHubId,
  type Repository,
  repositoryFolder,
} from "./repository.js";
import { type HubSettings, readHubSettings } from "./settings.js";

export interface DownloadRequest extends Repository {
  /** patterns of the wanted files (`*.json`, `meta/*`); all if left out */
  readonly files?: readonly string[] | undefined;
  /** told after each file */
  readonly onFile?: ((progress: DownloadProgress) => void) | undefined;
}

export interface DownloadProgress {
  readonly path: string;
  readonly numDone: number;
  readonly numFiles: number;
}

const NUM_PARALLEL = 4;
const NUM_TRIES = 3;
const FIRST_WAIT_MS = 250;
/** Of what the Hub says about a repository; a page of its list has a thousand files. */
const MOST_ANSWER_BYTES = 2 ** 26;

/** Tries again, more and more patiently, while the failure may pass. */
async function withRetries<T>(what: string, request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request();
    } catch (cause) {
      const error = toHubError(cause, what);
      if (attempt === NUM_TRIES || !isTransient(error)) throw error;
      await setTimeout(FIRST_WAIT_MS * 4 ** (attempt - 1));
    }
  }
}

/**
 * Downloads files of a repository into the cache that all Hugging Face tools share, and gives their folder. Files that are
 * there already are not downloaded again.
 *
 * @throws HubError if the repository, the revision or the files do not exist, cannot be read with the token or cannot be
 * reached, if the server names files outside the repository, or if `HF_HUB_OFFLINE` is set
 */
export async function downloadFiles(request: DownloadRequest): Promise<string> {
  const what = describeRepository(request);
  expectRevision(request);
  if (!isHubId(request.name)) throw new HubError(`${what}: expected a Hub id such as owner/name`);
  const settings = readHubSettings();
  if (settings.isOffline) {
    throw new HubError(`${what}: cannot be downloaded while HF_HUB_OFFLINE is set. Unset it, or give a local folder`);
  }
  if (settings.token !== undefined && !settings.token.startsWith("hf_")) {
    throw new HubError("HF_TOKEN (or the saved token): expected a token that starts with hf_, got another one");
  }
  const over = new AbortController();
  try {
    return await download(request, settings, over.signal);
  } finally {
    over.abort();
  }
}

async function download(request: DownloadRequest, settings: HubSettings, signal: AbortSignal): Promise<string> {
  const what = describeRepository(request);
  const { silenceMs } = settings;
  const access: HubAccess = {
    fetch: guardedFetch({ what, silenceMs, mostBytes: MOST_ANSWER_BYTES, signal }),
    repo: { type: request.kind, name: request.name },
    ...(settings.endpoint === undefined ? {} : { hubUrl: settings.endpoint }),
    ...(settings.token === undefined ? {} : { accessToken: settings.token }),
  };
  const commit = await withRetries(what, () => findCommit(request, access));
  const wanted = await withRetries(what, () => listWanted(request, access, commit));
  if (wanted.length === 0) {
    const patterns = request.files?.join(", ");
    throw new HubError(`${what}: expected files${patterns ? ` that match ${patterns}` : ""}, got none`);
  }
  const repositoryPath = repositoryFolder(settings.cacheFolder, request);
  // How much of a file may come, its size says.
  const contentAccess = {
    ...access,
    fetch: guardedFetch({ what, silenceMs, mostBytes: Number.POSITIVE_INFINITY, signal }),
  };
  const queue = wanted.values();
  let numDone = 0;
  const work = async (): Promise<void> => {
    for (const entry of queue) {
      await withRetries(what, () => downloadFile({ what, entry, repositoryPath, commit, access: contentAccess }));
      request.onFile?.({ path: entry.path, numDone: ++numDone, numFiles: wanted.length });
    }
  };
  await Promise.all(Array.from({ length: NUM_PARALLEL }, work));
  await recordRevision(repositoryPath, request.revision ?? DEFAULT_REVISION, commit);
  return join(repositoryPath, "snapshots", commit);
}

async function findCommit(repository: Repository, access: HubAccess): Promise<string> {
  const { kind, name, revision = DEFAULT_REVISION } = repository;
  if (isCommit(revision)) return revision;
  const question = { ...access, name, revision, additionalFields: ["sha" as const] };
  const { sha } = await (kind === "model" ? modelInfo(question) : datasetInfo(question));
  if (typeof sha !== "string" || !isCommit(sha)) {
    throw new HubError(`${describeRepository(repository)}: expected a commit from the Hub, got ${JSON.stringify(sha)}`);
  }
  return sha;
}

async function listWanted(
  request: DownloadRequest,
  access: HubAccess,
  commit: string,
): Promise<readonly ListFileEntry[]> {
  const wanted: ListFileEntry[] = [];
  const seen = new Set<string>();
  for await (const entry of listFiles({ ...access, recursive: true, revision: commit })) {
    // Pages that lead in a circle would never end.
    if (seen.has(entry.path)) {
      throw new HubError(`${describeRepository(request)}: expected every file once, got ${entry.path} twice`);
    }
    seen.add(entry.path);
    if (entry.type === "file" && matchesPatterns(entry.path, request.files)) wanted.push(entry);
  }
  return wanted;
}

/** Notes which commit a branch or tag stands for, so that it is found without the network. */
async function recordRevision(repositoryPath: string, revision: string, commit: string): Promise<void> {
  if (isCommit(revision)) return;
  const path = join(repositoryPath, "refs", revision);
  await makeFolder(dirname(path));
  await writeFileAtomically(path, commit);
}

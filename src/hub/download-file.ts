import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { downloadFile as fetchFile, type ListFileEntry } from "@huggingface/hub";
import { replaceSymlink, writeFileAtomically } from "../support/atomic-file.js";
import { HubError } from "../support/errors.js";
import { makeFolder } from "../support/make-folder.js";

/** Where and as whom to ask, in the Hub library's words. */
export interface HubAccess {
  readonly repo: { readonly type: "model" | "dataset"; readonly name: string };
  readonly hubUrl?: string;
  readonly accessToken?: string;
  readonly fetch: typeof fetch;
}

export interface FileRequest {
  /** what the user asked for, for messages */
  readonly what: string;
  readonly entry: ListFileEntry;
  /** of the repository in the cache */
  readonly repositoryPath: string;
  readonly commit: string;
  readonly access: HubAccess;
}

/** @throws HubError if a name from the server would lead out of the folder into which it is written */
function checkedPath({ what, entry }: FileRequest): string {
  const segments = entry.path.split("/");
  const isUnsafe = segments.some((segment) => ["", ".", ".."].includes(segment) || /[\\\0]|^[A-Za-z]:/.test(segment));
  if (isUnsafe)
    throw new HubError(`${what}: expected file names inside the repository, got ${JSON.stringify(entry.path)}`);
  return entry.path;
}

/** The name of a file's content in the cache: its hash. */
function checkedHash({ what, entry }: FileRequest): string {
  const hash = entry.lfs?.oid ?? entry.xetHash ?? entry.oid ?? "";
  if (!/^[0-9a-f]{8,128}$/i.test(hash)) {
    throw new HubError(`${what}: expected a hash for ${entry.path}, got ${JSON.stringify(hash)}`);
  }
  return hash;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * One file of a repository, in the cache: its content under `blobs`, a link to it under `snapshots`. Content that is already
 * there is not downloaded again; new content appears only when it is complete and its size and hash are right.
 */
export async function downloadFile(request: FileRequest): Promise<void> {
  const path = checkedPath(request);
  const pointer = join(request.repositoryPath, "snapshots", request.commit, path);
  if (await exists(pointer)) return;
  const blob = join(request.repositoryPath, "blobs", checkedHash(request));
  await makeFolder(dirname(blob));
  await makeFolder(dirname(pointer));
  if (!(await exists(blob))) await downloadBlob(request, path, blob);
  await replaceSymlink(relative(dirname(pointer), blob), pointer);
}

async function downloadBlob(request: FileRequest, path: string, blob: string): Promise<void> {
  const { what, entry } = request;
  // No range of an empty file can be asked for, so the Hub library cannot fetch one.
  if (entry.size === 0) return writeFileAtomically(blob, "");
  const content = await fetchFile({ ...request.access, path, revision: request.commit });
  if (content === null) throw new HubError(`${what}: expected the file ${path}, got none`, { status: 404 });
  await writeFileAtomically(blob, async (write) => {
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of content.stream() as unknown as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      size += chunk.byteLength;
      if (size > entry.size) break; // or a server could fill the disk
      await write(chunk);
    }
    const isOther = entry.lfs !== undefined && hash.digest("hex") !== entry.lfs.oid;
    if (size !== entry.size || isOther) {
      const got = size === entry.size ? "other content" : size > entry.size ? "more" : `${size}`;
      throw new HubError(
        `${what}: expected ${entry.size} bytes of ${path}, got ${got}. The download was damaged: try again`,
      );
    }
  });
}

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { HubError } from "../../support/errors.js";
import { matchesPatterns } from "../file-patterns.js";

/** A file to upload: on disk, where it is read piece by piece and never kept, or a text made for the upload. */
export interface UploadFile {
  /** in the repository, with `/` */
  readonly path: string;
  readonly size: number;
  /** its bytes from `start` to before `end`, at most a few at a time */
  readonly read: (start?: number, end?: number) => AsyncIterable<Uint8Array>;
  /** whether it still is what it was when the upload began */
  readonly isUnchanged: () => Promise<boolean>;
}

const CHUNK_BYTES = 1 << 20;

/** Git's own files, and what downloads leave behind. */
const isLeftAlone = (path: string): boolean => /(^|\/)(\.git|\.cache\/huggingface)(\/|$)/.test(path);

async function diskFile(folder: string, path: string): Promise<UploadFile | undefined> {
  const place = join(folder, path);
  const { size, mtimeMs, isFile } = await stat(place).then((found) => ({ ...found, isFile: found.isFile() }));
  if (!isFile) return undefined;
  await (await open(place, "r")).close();
  return {
    path,
    size,
    async *read(start = 0, end = size) {
      if (end > start) yield* createReadStream(place, { start, end: end - 1, highWaterMark: CHUNK_BYTES });
    },
    async isUnchanged() {
      const now = await stat(place).catch(() => undefined);
      return now?.size === size && now.mtimeMs === mtimeMs;
    },
  };
}

export function textFile(path: string, text: string): UploadFile {
  const bytes = Buffer.from(text);
  return {
    path,
    size: bytes.length,
    async *read(start = 0, end = bytes.length) {
      if (end > start) yield bytes.subarray(start, end);
    },
    isUnchanged: async () => true,
  };
}

/**
 * The files of a folder and its subfolders that match any of the patterns, by name. Links to files count as files; folders
 * behind links, `.git` and `.cache/huggingface` are passed over.
 *
 * @throws HubError if the folder or a file cannot be read
 */
export async function filesToUpload(folder: string, patterns: readonly string[] | undefined): Promise<UploadFile[]> {
  try {
    const names = (await readdir(folder, { recursive: true })).map((name) => name.replaceAll("\\", "/"));
    const wanted = names.filter((name) => !isLeftAlone(name) && matchesPatterns(name, patterns)).sort();
    const files: UploadFile[] = [];
    for (const name of wanted) {
      const file = await diskFile(folder, name);
      if (file) files.push(file);
    }
    return files;
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const reason = { ENOENT: "nothing there", ENOTDIR: "a file", EACCES: "no right to read it" }[code] ?? code;
    throw new HubError(`upload of ${folder}: expected a folder of readable files, got ${reason} (${path ?? folder})`);
  }
}

/** The SHA-256 of a file, by which large files are known. */
export async function sha256Of(file: UploadFile): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of file.read()) hash.update(chunk);
  return hash.digest("hex");
}

/** The name that Git gives a file's content. */
export async function gitHashOf(file: UploadFile): Promise<string> {
  const hash = createHash("sha1").update(`blob ${file.size}\0`);
  for await (const chunk of file.read()) hash.update(chunk);
  return hash.digest("hex");
}

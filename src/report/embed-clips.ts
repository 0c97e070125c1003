/** Clips of rollouts, read into the page. */
import { realpathSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { basename, extname, isAbsolute, join, relative, resolve } from "node:path";
import type { Clip, ClipList } from "./report-data.js";

/** Clips on a page, and their bytes together. */
export const MAX_CLIPS = 12;
export const MAX_CLIP_BYTES = 16 * 2 ** 20;

/** A clip that a comparison or an evaluation names. */
export interface ClipRequest {
  readonly title: string;
  /** in which it must lie */
  readonly folder: string;
  /** as it was written: relative to the folder or to where the program was started */
  readonly path: string;
}

/** A clip that may be shown. */
export interface FoundClip {
  readonly title: string;
  readonly file: string;
  readonly numBytes: number;
}

export interface FoundClips {
  readonly clips: readonly FoundClip[];
  readonly leftOut: ClipList["leftOut"];
}

/**
 * The first clips, at most 12 and 16 MB together. A file of another kind than mp4, or outside of the folder that names it, is not
 * read: the folder may come from somebody else.
 */
export async function findClips(requests: readonly ClipRequest[]): Promise<FoundClips> {
  const clips: FoundClip[] = [];
  const leftOut: { file: string; reason: string }[] = [];
  let total = 0;
  for (const { title, folder, path } of requests) {
    const file = locate(folder, path);
    const numBytes = file === undefined ? undefined : await sizeOfMp4(file);
    if (file === undefined) leftOut.push({ file: path, reason: `not found in ${folder}` });
    else if (numBytes === undefined) leftOut.push({ file: path, reason: "not an mp4 file" });
    else if (clips.length >= MAX_CLIPS) leftOut.push({ file, reason: `more than ${MAX_CLIPS} clips` });
    else if (total + numBytes > MAX_CLIP_BYTES) {
      leftOut.push({ file, reason: `more than ${MAX_CLIP_BYTES / 2 ** 20} MB of clips together` });
    } else {
      total += numBytes;
      clips.push({ title, file, numBytes });
    }
  }
  return { clips, leftOut };
}

/** Clips with their bytes in the page itself. */
export const embedClips = (clips: readonly FoundClip[]): Promise<readonly Clip[]> =>
  Promise.all(
    clips.map(async ({ title, file }) => ({
      title,
      file,
      source: `data:video/mp4;base64,${(await readFile(file)).toString("base64")}`,
    })),
  );

/** Where a clip lies, if it lies in its folder: as named, or in a folder that was moved, at the end of the name from `videos` on. */
function locate(folder: string, path: string): string | undefined {
  const below = /^(?:.*\/)?(videos\/.*)$/.exec(path)?.[1] ?? join("videos", basename(path));
  const candidates = [
    resolve(folder, path),
    resolve(path),
    join(folder, below),
    join(folder, "videos", basename(path)),
  ];
  return candidates.find((candidate) => isInside(folder, candidate));
}

function isInside(folder: string, file: string): boolean {
  try {
    const inner = relative(realpathSync(folder), realpathSync(file));
    return inner !== "" && !inner.startsWith("..") && !isAbsolute(inner);
  } catch {
    return false; // not there
  }
}

/** Bytes of an mp4 file, by its name and its first box; undefined for any other. */
async function sizeOfMp4(file: string): Promise<number | undefined> {
  if (extname(file).toLowerCase() !== ".mp4") return undefined;
  try {
    await using handle = await open(file, "r");
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(8), 0, 8, 0);
    return bytesRead === 8 && buffer.toString("latin1", 4) === "ftyp" ? (await handle.stat()).size : undefined;
  } catch {
    return undefined;
  }
}

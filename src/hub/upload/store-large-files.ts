import { z } from "zod";
import { HubError } from "../../support/errors.js";
import { DEFAULT_REVISION } from "../repository.js";
import { ask, type HubClient, sendOk } from "./hub-client.js";
import type { UploadFile } from "./upload-file.js";

/**
 * Large files go to the storage behind the Hub by Git LFS: ask where to, send, have it checked.
 *
 * Reference: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md, and Hugging Face's own addition, the transfer
 * "multipart": `chunk_size` and one address per part in the header of the action, whose `href` is called at the end.
 */

export interface LargeFile extends UploadFile {
  readonly sha256: string;
}

const ACTION = z.object({ href: z.string(), header: z.record(z.string(), z.unknown()).nullish() });

const BATCH = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      actions: z.object({ upload: ACTION.nullish(), verify: ACTION.nullish() }).nullish(),
      error: z.object({ code: z.number().optional(), message: z.string() }).nullish(),
    }),
  ),
});
type StoreObject = z.infer<typeof BATCH>["objects"][number];

const LFS_HEADERS = { Accept: "application/vnd.git-lfs+json", "Content-Type": "application/vnd.git-lfs+json" };
const OBJECTS_PER_REQUEST = 256;
const NUM_PARALLEL_PARTS = 4;

/**
 * Stores files under their hashes; what the storage holds already is not sent.
 *
 * @param onStored told after each file
 */
export async function storeLargeFiles(
  client: HubClient,
  repoId: string,
  files: readonly LargeFile[],
  onStored: (path: string) => void,
): Promise<void> {
  const byHash = new Map(files.map((file) => [file.sha256, file]));
  const unique = [...byHash.values()];
  for (let from = 0; from < unique.length; from += OBJECTS_PER_REQUEST) {
    const group = unique.slice(from, from + OBJECTS_PER_REQUEST);
    const { objects } = await ask(client, BATCH, {
      step: "ask where to store large files",
      method: "POST",
      url: `${client.endpoint}/${repoId}.git/info/lfs/objects/batch`,
      headers: LFS_HEADERS,
      json: {
        operation: "upload",
        transfers: ["basic", "multipart"],
        objects: group.map(({ sha256, size }) => ({ oid: sha256, size })),
        hash_algo: "sha256",
        ref: { name: DEFAULT_REVISION },
      },
    });
    const plans = new Map(objects.map((object) => [object.oid, object]));
    for (const file of group) {
      const plan = plans.get(file.sha256);
      if (plan === undefined) throw new HubError(`${client.what}: expected a place to store ${file.path}, got none`);
      await storeFile(client, file, plan);
      onStored(file.path);
    }
  }
}

async function storeFile(client: HubClient, file: LargeFile, { actions, error }: StoreObject): Promise<void> {
  const step = `store ${file.path}`;
  if (error) {
    const status = error.code === undefined ? {} : { status: error.code };
    throw new HubError(`${client.what}: cannot ${step}: the Hub refused it (${error.message})`, status);
  }
  const upload = actions?.upload;
  if (!upload) return;
  const chunkSize = upload.header?.chunk_size;
  if (chunkSize === undefined) {
    const content = { size: file.size, read: () => file.read() };
    await sendOk(client, { step, method: "PUT", url: upload.href, isPermitted: true, content });
  } else {
    const parts = partsOf(client, file, upload.header!, Number(chunkSize));
    const json = { oid: file.sha256, parts: await storeParts(client, file, parts) };
    await sendOk(client, { step, method: "POST", url: upload.href, headers: LFS_HEADERS, isPermitted: true, json });
  }
  // The Hub knows a file by the hash it was announced with, so content that changed on the way would be refused, or
  // worse, stored under a wrong name.
  if (!(await file.isUnchanged())) {
    throw new HubError(`${client.what}: cannot ${step}: it was changed while it was sent. Try again`);
  }
  if (actions?.verify) {
    const json = { oid: file.sha256, size: file.size };
    await sendOk(client, { step: `have ${file.path} checked`, method: "POST", url: actions.verify.href, json });
  }
}

interface Part {
  readonly url: string;
  readonly partNumber: number;
  readonly start: number;
  readonly end: number;
}

/** The parts in which the storage wants a file: their addresses stand in the header under their numbers, from 1. */
function partsOf(client: HubClient, file: LargeFile, header: Readonly<Record<string, unknown>>, chunk: number): Part[] {
  const addresses = Object.entries(header)
    .filter(([name]) => /^\d+$/.test(name))
    .sort(([a], [b]) => Number(a) - Number(b));
  const isWhole =
    Number.isSafeInteger(chunk) &&
    chunk > 0 &&
    addresses.length === Math.ceil(file.size / chunk) &&
    addresses.every(([name, url], i) => Number(name) === i + 1 && typeof url === "string");
  if (!isWhole) {
    throw new HubError(
      `${client.what}: cannot store ${file.path}: expected addresses for ${file.size} bytes in parts of ${chunk}, got ` +
        `${addresses.length}. Check HF_ENDPOINT`,
    );
  }
  return addresses.map(([, url], i) => ({
    url: url as string,
    partNumber: i + 1,
    start: i * chunk,
    end: Math.min(file.size, (i + 1) * chunk),
  }));
}

/** Sends the parts, a few at a time, and gives the storage's receipts in order. */
async function storeParts(
  client: HubClient,
  file: LargeFile,
  parts: readonly Part[],
): Promise<{ partNumber: number; etag: string }[]> {
  const receipts: { partNumber: number; etag: string }[] = [];
  const queue = parts.values();
  let hasFailed = false;
  const work = async (): Promise<void> => {
    for (const { url, partNumber, start, end } of queue) {
      if (hasFailed) return;
      try {
        const step = `store part ${partNumber} of ${parts.length} of ${file.path}`;
        const content = { size: end - start, read: () => file.read(start, end) };
        const response = await sendOk(client, { step, method: "PUT", url, isPermitted: true, content });
        await response.body?.cancel();
        const etag = response.headers.get("ETag");
        if (!etag) throw new HubError(`${client.what}: cannot ${step}: expected a receipt (ETag), got none`);
        receipts[partNumber - 1] = { partNumber, etag };
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: NUM_PARALLEL_PARTS }, work));
  const failure = ends.find((end) => end.status === "rejected");
  if (failure) throw failure.reason;
  return receipts;
}

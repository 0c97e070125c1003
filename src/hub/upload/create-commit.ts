import { z } from "zod";
import { DEFAULT_REVISION } from "../repository.js";
import { ask, type HubClient } from "./hub-client.js";
import type { PlannedFile } from "./preupload.js";

const COMMIT = z.object({ commitOid: z.string() });

/** A multiple of 3, so that the pieces of a file in base64 join without padding between them. */
const PIECE_BYTES = 3 * (1 << 16);

const base64Size = (size: number): number => 4 * Math.ceil(size / 3);

/** A file's bytes in base64, piece by piece. */
async function* inBase64({ read }: PlannedFile): AsyncIterable<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const chunk of read()) {
    rest = Buffer.concat([rest, chunk]);
    const whole = rest.length - (rest.length % PIECE_BYTES);
    if (whole === 0) continue;
    yield Buffer.from(rest.subarray(0, whole).toString("base64"));
    rest = rest.subarray(whole);
  }
  if (rest.length > 0) yield Buffer.from(rest.toString("base64"));
}

/** The commit's lines: a header, then one line per file, a large one by its hash, any other with its content. */
function linesOf(message: string, files: readonly PlannedFile[]): (Buffer | PlannedFile)[] {
  const line = (key: string, value: object): Buffer => Buffer.from(`${JSON.stringify({ key, value })}\n`);
  const header = line("header", { summary: message, description: "" });
  const operations = files.flatMap((file): (Buffer | PlannedFile)[] => {
    const { path, size, sha256 } = file;
    if (sha256 !== undefined) return [line("lfsFile", { path, algo: "sha256", oid: sha256, size })];
    const start = `{"key":"file","value":{"path":${JSON.stringify(path)},"encoding":"base64","content":"`;
    return [Buffer.from(start), file, Buffer.from('"}}\n')];
  });
  return [header, ...operations];
}

/**
 * Adds files to a model repository in one commit, and gives the commit's name. Large files must be stored already.
 *
 * If the answer to a successful commit is lost, it is made again, with nothing in it.
 */
export async function createCommit(
  client: HubClient,
  repoId: string,
  message: string,
  files: readonly PlannedFile[],
): Promise<string> {
  const lines = linesOf(message, files);
  const size = lines.reduce((sum, part) => sum + (Buffer.isBuffer(part) ? part.length : base64Size(part.size)), 0);
  const read = async function* (): AsyncIterable<Uint8Array> {
    for (const part of lines) {
      if (Buffer.isBuffer(part)) yield part;
      else yield* inBase64(part);
    }
  };
  const { commitOid } = await ask(client, COMMIT, {
    step: "commit",
    method: "POST",
    url: `${client.endpoint}/api/models/${repoId}/commit/${DEFAULT_REVISION}`,
    headers: { "Content-Type": "application/x-ndjson" },
    content: { size, read },
  });
  return commitOid;
}

import { z } from "zod";
import { HubError } from "../../support/errors.js";
import { DEFAULT_REVISION } from "../repository.js";
import { ask, type HubClient } from "./hub-client.js";
import { gitHashOf, sha256Of, type UploadFile } from "./upload-file.js";

/** A file and how the Hub wants it. */
export interface PlannedFile extends UploadFile {
  /** SHA-256 of a large file, which goes to the storage; undefined for one that is part of the commit itself */
  readonly sha256: string | undefined;
  /** whether the repository holds exactly this already */
  readonly isThere: boolean;
}

const PREUPLOAD = z.object({
  files: z.array(
    z.object({
      path: z.string(),
      uploadMode: z.enum(["lfs", "regular"]),
      shouldIgnore: z.boolean().optional(),
      /** of the file as it is in the repository */
      oid: z.string().nullish(),
    }),
  ),
});

/** What one request may hold, as in Hugging Face's own client. */
const FILES_PER_REQUEST = 256;
/** From these the Hub sees whether a file is text. */
const SAMPLE_BYTES = 512;

async function sampleOf(file: UploadFile): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.read(0, Math.min(SAMPLE_BYTES, file.size))) chunks.push(chunk);
  return Buffer.concat(chunks).toString("base64");
}

/** Asks how each file is to be sent. Those that the repository's `.gitignore` excludes are left out. */
export async function planUpload(
  client: HubClient,
  repoId: string,
  files: readonly UploadFile[],
): Promise<PlannedFile[]> {
  const planned: PlannedFile[] = [];
  for (let from = 0; from < files.length; from += FILES_PER_REQUEST) {
    const group = files.slice(from, from + FILES_PER_REQUEST);
    const samples = await Promise.all(
      group.map(async (file) => ({ path: file.path, sample: await sampleOf(file), size: file.size })),
    );
    const answer = await ask(client, PREUPLOAD, {
      step: "plan the upload",
      method: "POST",
      url: `${client.endpoint}/api/models/${repoId}/preupload/${DEFAULT_REVISION}`,
      json: { files: samples },
    });
    const plans = new Map(answer.files.map((plan) => [plan.path, plan]));
    for (const file of group) {
      const plan = plans.get(file.path);
      if (plan === undefined) throw new HubError(`${client.what}: expected a plan for ${file.path}, got none`);
      if (plan.shouldIgnore) continue;
      // Storage refuses empty files.
      const sha256 = plan.uploadMode === "lfs" && file.size > 0 ? await sha256Of(file) : undefined;
      const isThere = typeof plan.oid === "string" && plan.oid === (sha256 ?? (await gitHashOf(file)));
      planned.push({ ...file, sha256, isThere });
    }
  }
  return planned;
}

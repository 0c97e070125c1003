import { z } from "zod";
import { HubError } from "../support/errors.js";
import { DEFAULT_REVISION, describeRepository, isHubId } from "./repository.js";
import type { HubSettings } from "./settings.js";
import { createCommit } from "./upload/create-commit.js";
import { createRepository } from "./upload/create-repository.js";
import { ask, hubClient } from "./upload/hub-client.js";
import { planUpload } from "./upload/preupload.js";
import { storeLargeFiles } from "./upload/store-large-files.js";
import { filesToUpload, textFile } from "./upload/upload-file.js";
import { CARD_FILE, validateCard } from "./upload/validate-card.js";

export interface UploadRequest {
  /** `owner/name` of a model repository; created if it does not exist */
  readonly repoId: string;
  readonly folder: string;
  /** patterns of the files to upload (`*.json`, `meta/*`); all if left out */
  readonly files?: readonly string[] | undefined;
  /** files by path that the folder does not hold, or holds otherwise, such as a model card made for the upload */
  readonly texts?: Readonly<Record<string, string>> | undefined;
  /** whether only the owner may see a new repository; undefined for the owner's own default */
  readonly private?: boolean | undefined;
  /** of the commit */
  readonly message: string;
  /** see `readHubSettings` */
  readonly settings: Pick<HubSettings, "endpoint" | "token" | "isOffline">;
  /** told after each large file */
  readonly onStored?: ((path: string) => void) | undefined;
  /** before each further attempt after a failure that may pass; 1, 2, 4, 8 and 8 seconds if left out */
  readonly retryWaitsMs?: readonly number[] | undefined;
}

export interface Uploaded {
  /** of the repository, for people */
  readonly url: string;
  /** the one that was made, or the newest if nothing had changed */
  readonly commit: string;
}

const REVISION = z.object({ sha: z.string() });

/**
 * Uploads a folder to a model repository in one commit, as Hugging Face's own client does: files that are there already are
 * not sent again, large ones go to the storage piece by piece, none is ever in memory as a whole. Other files of the
 * repository stay.
 *
 * @throws HubError if there is nothing to upload, no token that may write, no space, if the Hub cannot be reached or refuses,
 * if a file changes meanwhile, or if `HF_HUB_OFFLINE` is set
 */
export async function uploadFolder(request: UploadRequest): Promise<Uploaded> {
  const { repoId, folder, message, settings } = request;
  const what = `upload to ${describeRepository({ kind: "model", name: repoId })}`;
  if (!isHubId(repoId)) throw new HubError(`${what}: expected a Hub id such as owner/name`);
  if (message.trim() === "") throw new HubError(`${what}: expected a message for the commit, got none`);
  if (settings.isOffline) throw new HubError(`${what}: not possible while HF_HUB_OFFLINE is set. Unset it`);
  const client = hubClient({ what, settings, retryWaitsMs: request.retryWaitsMs });
  const texts = Object.entries(request.texts ?? {}).map(([path, text]) => textFile(path, text));
  const found = await filesToUpload(folder, request.files);
  const files = [...found.filter(({ path }) => texts.every((text) => text.path !== path)), ...texts];
  if (files.length === 0) {
    const patterns = request.files?.join(", ");
    throw new HubError(`${what}: expected files${patterns ? ` that match ${patterns}` : ""} in ${folder}, got none`);
  }

  await createRepository(client, repoId, request.private);
  const card = files.find(({ path }) => path === CARD_FILE);
  if (card) await validateCard(client, card);
  const planned = await planUpload(client, repoId, files);
  const large = planned.flatMap(({ sha256, ...file }) => (sha256 === undefined ? [] : [{ ...file, sha256 }]));
  await storeLargeFiles(client, repoId, large, request.onStored ?? (() => {}));
  const changed = planned.filter(({ isThere }) => !isThere);
  const commit =
    changed.length > 0
      ? await createCommit(client, repoId, message, changed)
      : (
          await ask(client, REVISION, {
            step: "find its newest commit",
            method: "GET",
            url: `${client.endpoint}/api/models/${repoId}/revision/${DEFAULT_REVISION}`,
          })
        ).sha;
  return { url: `${client.endpoint}/${repoId}`, commit };
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Uploaded, type UploadRequest, uploadFolder } from "../hub/upload-folder.js";
import { ConfigError } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { readJson } from "../support/read-json.js";
import { type ModelCardInput, modelCard } from "./model-card.js";
import { readProvenance } from "./provenance.js";

const CARD_FILE = "README.md";

/** What LeRobot uploads of a policy folder, with its message. */
const FILES = ["*.safetensors", "*.json", "*.yaml", "*.md"];
const MESSAGE = "Upload policy weights, train config and readme";

const CONFIG = z.object({ repo_id: z.string().nullish(), private: z.boolean().nullish() });

export interface PushRequest extends Pick<UploadRequest, "settings" | "onStored" | "retryWaitsMs"> {
  /** with `config.json`, weights and processors */
  readonly folder: string;
  /** that of `config.json` if left out */
  readonly repoId?: string | undefined;
  /** what the card says besides what the folder says itself */
  readonly card?: Omit<ModelCardInput, "config" | "provenance" | "repoId">;
}

/**
 * Uploads a policy folder with a model card, as LeRobot's `push_to_hub` does: to `repo_id`, `private` or not, with the
 * `tags` and `license` of its `config.json`. The folder stays as it is; a `README.md` in it is taken instead of a new card.
 *
 * @throws ConfigError if there is no name to upload to; CheckpointError for a damaged folder; HubError, see `uploadFolder`
 *
 * Reference: `PreTrainedPolicy.push_model_to_hub` of LeRobot 0.4.4.
 */
export async function pushPolicy({ folder, card, ...request }: PushRequest): Promise<Uploaded> {
  const path = join(folder, "config.json");
  const config = await readJson(path);
  const own = parseWithSchema(CONFIG, config, path);
  const repoId = request.repoId ?? own.repo_id;
  if (!repoId) {
    throw new ConfigError(path, [
      { path: "repo_id", message: "expected the Hub id to upload to, got nothing. Set policy.repo_id to owner/name" },
    ]);
  }
  const provenance = await readProvenance(folder);
  const texts = existsSync(join(folder, CARD_FILE))
    ? undefined
    : { [CARD_FILE]: modelCard({ ...card, config, provenance, repoId }) };
  return uploadFolder({
    ...request,
    repoId,
    folder,
    files: FILES,
    texts,
    private: own.private ?? undefined,
    message: MESSAGE,
  });
}

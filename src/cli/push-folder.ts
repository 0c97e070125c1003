import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { readHubSettings } from "../hub/settings.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { readPolicyFiles } from "../policy/policy-files.js";
import { readProvenance } from "../policy/provenance.js";
import { type PushRequest, pushPolicy } from "../policy/push-policy.js";
import { readJson } from "../support/read-json.js";
import { RUN_CONFIG_FILE, STATE_FOLDER } from "../train/checkpoint.js";
import { parseTrainConfig } from "../train/config.js";
import { expectStatistics } from "../train/expect-statistics.js";
import type { Settings } from "./overrides.js";
import { cardOfRun } from "./run-card.js";

/**
 * Uploads a policy, with what the run that it lies in knows of it in its model card.
 *
 * @param nameOrPath policy folder, checkpoint or run
 * @param repoId that of the policy's `config.json` if left out
 * @returns where it is, for people
 * @throws CheckpointError if its processors lack statistics; ConfigError without a name to upload to; HubError
 */
export async function pushFolder(nameOrPath: string, repoId: string | undefined): Promise<string> {
  const folder = resolve(await findPolicyFolder(nameOrPath));
  expectStatistics(await readPolicyFiles(folder), "push", "policy to upload");
  const card = await cardOfCheckpoint(folder);
  const { url } = await pushPolicy({ folder, repoId, settings: readHubSettings(), ...(card ? { card } : {}) });
  return url;
}

/** The card of a policy in `<run>/checkpoints/<step>/pretrained_model`; undefined for one that lies elsewhere. */
async function cardOfCheckpoint(folder: string): Promise<PushRequest["card"]> {
  const checkpoint = dirname(folder);
  const path = join(checkpoint, STATE_FOLDER, RUN_CONFIG_FILE);
  if (!existsSync(path)) return undefined;
  const saved = (await readJson(path)) as Settings;
  const here = { ...saved, output_dir: resolve(checkpoint, "..", ".."), resume: true, overwrite: false };
  const provenance = await readProvenance(folder);
  return cardOfRun(parseTrainConfig(here).config, provenance?.step ?? Number.POSITIVE_INFINITY);
}

import { join } from "node:path";
import { readHubSettings } from "../hub/settings.js";
import { pushPolicy } from "../policy/push-policy.js";
import { ConfigError, HubError } from "../support/errors.js";
import { CHECKPOINTS, POLICY_FOLDER } from "../train/checkpoint.js";
import type { TrainConfig } from "../train/config.js";
import type { TrainingRun } from "../train/start-training.js";
import type { Logger } from "./logger.js";
import { cardOfRun } from "./run-card.js";

/** @throws ConfigError if a run shall upload its policy and there is no token to do so with */
export function expectHubToken({ policy }: TrainConfig): void {
  if (!policy.pushToHub || readHubSettings().token !== undefined) return;
  throw new ConfigError("training config", [
    {
      path: "policy.push_to_hub",
      message:
        "expected a token of the Hub to upload with, got none. Set HF_TOKEN, log in with the Hub's own client, or leave " +
        "policy.push_to_hub=false",
    },
  ]);
}

/**
 * Uploads the last policy of a finished run, with a card that says where it comes from and how well it agrees.
 *
 * @throws HubError saying what the Hub refused and how to try again; the policy is on disk whatever happens
 */
export async function pushRun({ config, numEpisodes, numFrames }: TrainingRun, logger: Logger): Promise<void> {
  const card = await cardOfRun(config, config.steps);
  const folder = join(config.outputDir, CHECKPOINTS, "last", POLICY_FOLDER);
  const { repoId } = config.policy;
  try {
    const { url } = await pushPolicy({
      folder,
      repoId,
      settings: readHubSettings(),
      card: { ...card, dataset: { ...card.dataset, numEpisodes, numFrames } },
    });
    logger.info(`Pushed the policy to ${url}`);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const { status, url } = error;
    const again = `The run is finished and its policy saved. Upload it later: reflow push ${folder} --repo_id=${repoId}`;
    throw new HubError(`${error.message}. ${again}`, {
      ...(status === undefined ? {} : { status }),
      ...(url === undefined ? {} : { url }),
      cause: error,
    });
  }
}

import { join } from "node:path";
import { readHubSettings } from "../hub/settings.js";
import { pushPolicy } from "../policy/push-policy.js";
import type { Metrics } from "../records/run-event.js";
import { ConfigError } from "../support/errors.js";
import { CHECKPOINTS, POLICY_FOLDER } from "../train/checkpoint.js";
import type { TrainConfig } from "../train/config.js";
import { agreementRows } from "../train/held-out.js";
import type { TrainingRun } from "../train/start-training.js";
import type { Logger } from "./logger.js";

/** A run's measurements before its first step, when a reflow student still is its teacher, and its last ones. */
export interface Evaluations {
  readonly first: Metrics | undefined;
  readonly last: Metrics | undefined;
}

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
 * @throws HubError saying what the Hub refused; the policy is on disk whatever happens
 */
export async function pushRun(run: TrainingRun, evaluations: Evaluations, logger: Logger): Promise<void> {
  const { config, teacher, numEpisodes, numFrames } = run;
  const { first, last } = evaluations;
  const { heldOut, batchSize, steps, optimizer, precision } = config;
  const { url } = await pushPolicy({
    folder: join(config.outputDir, CHECKPOINTS, "last", POLICY_FOLDER),
    settings: readHubSettings(),
    card: {
      dataset: { repoId: config.dataset.repoId, numEpisodes, numFrames },
      baseModel: config.policy.teacherModelPath ?? config.policy.path,
      recipe: { steps, batch_size: batchSize, learning_rate: optimizer.lr, precision },
      agreement: last && {
        reference: teacher ? "the teacher" : "the policy itself",
        numReferenceSteps: heldOut.referenceSteps,
        numObservations: heldOut.numObservations,
        numNoises: heldOut.numNoises,
        rows: [...(teacher && first ? rowsOf("teacher", first) : []), ...rowsOf("this policy", last)],
      },
    },
  });
  logger.info(`Pushed the policy to ${url}`);
}

const rowsOf = (name: string, metrics: Metrics) => agreementRows(metrics).map((row) => ({ name, ...row }));

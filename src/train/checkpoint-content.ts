/** What a run puts into its checkpoints. */
import { join } from "node:path";
import type { AdamW } from "../optim/index.js";
import { writeProvenance } from "../policy/provenance.js";
import { toSmolVLAJson } from "../smolvla/config.js";
import { writeFileAtomically } from "../support/atomic-file.js";
import { type CheckpointParts, writeRunConfig } from "./checkpoint.js";
import { trainConfigToJson } from "./config-json.js";
import type { SettledTrainConfig } from "./config-preset.js";
import { formatLeRobotTrainConfig } from "./lerobot-train-config.js";
import type { PreparedPolicy } from "./prepare-policy.js";
import { writeTrainingState } from "./training-state.js";

export interface CheckpointSources {
  readonly config: SettledTrainConfig & { readonly seed: number };
  readonly prepared: PreparedPolicy;
  readonly optimizer: AdamW;
  /** the learning rate of a step, counted from 0 */
  readonly schedule: (step: number) => number;
}

/** The parts of the checkpoint of a step, from what the run is at the time they are written. */
export function checkpointContent(sources: CheckpointSources, step: number): CheckpointParts {
  const { config, prepared, optimizer, schedule } = sources;
  const { policy } = prepared;
  return {
    writePolicy: async (folder) => {
      await policy.save(folder, optimizer.masters());
      await writeProvenance(folder, { ...(await prepared.provenance()), step });
      const policyJson = JSON.parse(toSmolVLAJson(policy.config));
      await writeFileAtomically(join(folder, "train_config.json"), formatLeRobotTrainConfig(config, policyJson));
    },
    writeState: async (folder) => {
      await writeTrainingState(folder, {
        step,
        optimizer,
        settings: config.optimizer,
        learningRate: schedule(step),
        seed: config.seed,
        model: policy.model,
      });
      await writeRunConfig(folder, trainConfigToJson(config));
    },
  };
}

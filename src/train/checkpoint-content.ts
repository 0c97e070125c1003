/** What a run puts into its checkpoints. */
import { join } from "node:path";
import type { AdamW, Ema } from "../optim/index.js";
import { saveProcessorPipeline } from "../policy/processors/save-pipeline.js";
import { writeProvenance } from "../policy/provenance.js";
import { toSmolVLAJson } from "../smolvla/config.js";
import { saveAdapter } from "../smolvla/lora-adapter.js";
import { writeFileAtomically } from "../support/atomic-file.js";
import { type CheckpointParts, HEALTH_FILE, writeRunConfig } from "./checkpoint.js";
import { trainConfigToJson } from "./config-json.js";
import type { SettledTrainConfig } from "./config-preset.js";
import type { HealthWatch } from "./health/index.js";
import { formatLeRobotTrainConfig } from "./lerobot-train-config.js";
import type { PreparedPolicy } from "./prepare-policy.js";
import { writeTrainingState } from "./training-state.js";

/** Where a checkpoint's policy keeps its adapter in PEFT's format, beside the merged weights. */
const ADAPTER_FOLDER = "adapter";

export interface CheckpointSources {
  readonly config: SettledTrainConfig & { readonly seed: number };
  readonly prepared: PreparedPolicy;
  readonly optimizer: AdamW;
  /** whose averages are the policy; undefined where the trained weights themselves are */
  readonly ema: Ema | undefined;
  /** by which the health watch has lowered the learning rate; 1 if left out */
  readonly rateFactor?: () => number;
  /** what a checkpoint keeps of the health watch; nothing if left out */
  readonly watch?: () => HealthWatch;
  /** the learning rate of a step, counted from 0 */
  readonly schedule: (step: number) => number;
}

/** The parts of the checkpoint of a step, from what the run is at the time they are written. */
export function checkpointContent(sources: CheckpointSources, step: number): CheckpointParts {
  const { config, prepared, optimizer, ema, schedule } = sources;
  const { policy } = prepared;
  return {
    writePolicy: async (folder) => {
      const masters = ema ? ema.shadows() : optimizer.masters();
      await policy.save(folder, masters);
      const provenance = { ...(await prepared.provenance()), step };
      await writeProvenance(folder, provenance);
      if (policy.model.adapter) {
        const adapter = join(folder, ADAPTER_FOLDER);
        await saveAdapter(adapter, policy.model, { base: prepared.startFolder, masters });
        // Its base may have been trained on other data.
        for (const pipeline of Object.values(policy.processors)) await saveProcessorPipeline(adapter, pipeline);
        await writeProvenance(adapter, provenance);
      }
      const policyJson = JSON.parse(toSmolVLAJson(policy.config));
      await writeFileAtomically(join(folder, "train_config.json"), formatLeRobotTrainConfig(config, policyJson));
    },
    writeState: async (folder) => {
      const factor = sources.rateFactor?.() ?? 1;
      await writeTrainingState(folder, {
        step,
        optimizer,
        settings: { ...config.optimizer, lr: config.optimizer.lr * factor },
        learningRate: schedule(step) * factor,
        seed: config.seed,
        model: policy.model,
        ema,
      });
      await writeRunConfig(folder, trainConfigToJson(config));
      const watch = sources.watch?.();
      if (watch) await writeFileAtomically(join(folder, HEALTH_FILE), `${JSON.stringify(watch.toJSON())}\n`);
    },
  };
}

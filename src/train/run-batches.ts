import { toModelInput } from "../policy/model-input.js";
import { withRenameMap } from "../policy/processors/override-pipeline.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { deriveSeed } from "../support/derive-seed.js";
import { batchNumber } from "./batch-order.js";
import type { TrainConfig } from "./config.js";
import type { TrainingBatch } from "./objectives/objective.js";
import { type Batches, openBatches } from "./prefetched-batches.js";
import type { RunData } from "./run-data.js";

export interface RunBatches {
  readonly batches: Batches;
  /** puts the batch of a place in the order of batches on the device */
  readonly toDevice: (batch: ProcessorBatch, place: number, step: number) => TrainingBatch;
}

/**
 * The batches of a run, as its policy reads them.
 *
 * @param mayReuse whether batches come again if the settings say so: those of a teacher's pairs do
 */
export async function openRunBatches(
  config: TrainConfig & { readonly seed: number },
  { source, training }: RunData,
  policy: SmolVLAPolicy,
  mayReuse: boolean,
): Promise<RunBatches> {
  const { pairUses, bufferBatches } = config.reflow;
  const seed = deriveSeed(config.seed, "order");
  const reuse = { numUses: mayReuse ? pairUses : 1, numBatches: bufferBatches, seed };
  const batches = await openBatches(
    {
      dataset: { ...source, episodes: training, chunkSize: policy.config.chunkSize },
      preprocessor: withRenameMap(policy.processors.preprocessor, config.renameMap),
      tokenizerFolder: policy.tokenizerFolder,
      batchSize: config.batchSize,
      seed,
      reuse,
    },
    config.numWorkers,
    config.steps * config.gradientAccumulation,
  );
  return {
    batches,
    toDevice: ({ arrays, tasks }, place, step) => ({
      input: toModelInput(arrays, policy.config, policy.device),
      arrays,
      tasks,
      number: batchNumber(place, reuse),
      step,
    }),
  };
}

import { BatchSampler, collate, LeRobotDataset, type LeRobotDatasetOptions } from "../data/index.js";
import type { ProcessorPipeline } from "../policy/processors/pipeline.js";
import { type ProcessorBatch, runPreprocessor } from "../policy/processors/run-pipeline.js";
import { type LanguageTokenizer, loadTokenizer } from "../policy/tokenizer.js";
import { batchNumber, type Reuse } from "./batch-order.js";

/** Everything that makes the batches of a run, as plain data that can be sent to a worker thread. */
export interface BatchPlan {
  readonly dataset: LeRobotDatasetOptions;
  readonly preprocessor: ProcessorPipeline;
  readonly tokenizerFolder: string;
  readonly batchSize: number;
  /** of the order in which frames are visited */
  readonly seed: number;
  /** how often batches come again; never if left out */
  readonly reuse?: Reuse;
  /** the items of each batch, counted over the frames of the chosen episodes, in place of batches in a random order */
  readonly items?: readonly (readonly number[])[];
}

/** Makes the processed batch of any training step: read, decoded, normalised, tokenised. Needs no libtorch. */
export class BatchSource {
  readonly #plan: BatchPlan;
  readonly #dataset: LeRobotDataset;
  readonly #tokenizer: LanguageTokenizer;
  readonly #sampler: BatchSampler;

  private constructor(plan: BatchPlan, dataset: LeRobotDataset, tokenizer: LanguageTokenizer) {
    this.#plan = plan;
    this.#dataset = dataset;
    this.#tokenizer = tokenizer;
    this.#sampler = new BatchSampler({ numFrames: dataset.numFrames, batchSize: plan.batchSize, seed: plan.seed });
  }

  static async open(plan: BatchPlan): Promise<BatchSource> {
    return new BatchSource(plan, await LeRobotDataset.open(plan.dataset), await loadTokenizer(plan.tokenizerFolder));
  }

  /** @param step counted from 0 over the whole run; which frames it gets depends on it, the seed and the reuse alone */
  async batch(step: number): Promise<ProcessorBatch> {
    const { items: chosen, reuse } = this.#plan;
    const items = [];
    for (const index of chosen ? chosen[step]! : this.#sampler.indices(batchNumber(step, reuse)))
      items.push(await this.#dataset.item(index));
    return runPreprocessor(this.#plan.preprocessor, collate(items), this.#tokenizer);
  }

  close(): Promise<void> {
    return this.#dataset.close();
  }
}

import { ConfigError, type ConfigProblem } from "../support/errors.js";
import { epochOrder } from "./epoch-order.js";

/** Settings of a `BatchSampler`. */
export interface BatchSamplerOptions {
  /** number of frames of an epoch, at least 1 */
  readonly numFrames: number;
  /** B, at least 1 */
  readonly batchSize: number;
  readonly seed: number;
}

/**
 * Which frames make up the batch of a training step, for any step in any order.
 *
 * Every epoch visits each frame once, in its own `epochOrder`; its last batch is short if the batch size does not divide
 * the number of frames (`drop_last` false). Only the order of the epoch asked for last is kept.
 */
export class BatchSampler {
  readonly options: BatchSamplerOptions;
  readonly numBatchesPerEpoch: number;
  #current: { readonly epoch: number; readonly order: Uint32Array } | undefined;

  /** @throws ConfigError with every setting that cannot be used */
  constructor(options: BatchSamplerOptions) {
    const problems: ConfigProblem[] = [];
    const check = (path: keyof BatchSamplerOptions, minimum: number, maximum: number) => {
      const value = options[path];
      if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
      problems.push({ path, message: `expected a whole number from ${minimum} to ${maximum}, got ${value}` });
    };
    check("numFrames", 1, 2 ** 32 - 1);
    check("batchSize", 1, 2 ** 32 - 1);
    check("seed", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    if (problems.length > 0) throw new ConfigError("BatchSampler", problems);
    this.options = options;
    this.numBatchesPerEpoch = Math.ceil(options.numFrames / options.batchSize);
  }

  /** The epoch that a step belongs to; both count from 0. */
  epochOf(step: number): number {
    return Math.floor(step / this.numBatchesPerEpoch);
  }

  /** The frames of a step's batch, at most `batchSize` and at least one. @throws ConfigError for a negative step */
  indices(step: number): Uint32Array {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new ConfigError("BatchSampler.indices", `expected step to be a whole number of at least 0, got ${step}`);
    }
    const { numFrames, batchSize, seed } = this.options;
    const epoch = this.epochOf(step);
    if (this.#current?.epoch !== epoch) this.#current = { epoch, order: epochOrder(numFrames, seed, epoch) };
    const start = (step % this.numBatchesPerEpoch) * batchSize;
    return this.#current.order.slice(start, start + batchSize);
  }
}

import { Worker } from "node:worker_threads";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { fromErrorMessage } from "../support/error-message.js";
import { workerEntry } from "../support/worker-entry.js";
import { type BatchPlan, BatchSource } from "./batch-source.js";
import type { BatchReply } from "./batch-worker.js";

/** The batches of a run, step by step. */
export interface Batches {
  /** The batch of a step; steps are asked for in order. */
  next(step: number): Promise<ProcessorBatch>;
  close(): Promise<void>;
}

/** Batches that each worker has ready or in the making, as PyTorch's loader does. */
const BATCHES_PER_WORKER = 2;

/**
 * Batches made ahead of time in worker threads. Which frames a batch holds depends on the seed and its step alone, so the
 * number of workers changes the speed and nothing else.
 *
 * @param numWorkers 0 makes each batch when it is asked for, in this thread
 * @param numSteps steps of the run; none is made beyond
 */
export async function openBatches(plan: BatchPlan, numWorkers: number, numSteps: number): Promise<Batches> {
  if (numWorkers > 0) return new PrefetchedBatches(plan, numWorkers, numSteps);
  const source = await BatchSource.open(plan);
  return { next: (step) => source.batch(step), close: () => source.close() };
}

interface Settle {
  readonly resolve: (batch: ProcessorBatch) => void;
  readonly reject: (error: Error) => void;
}

class PrefetchedBatches implements Batches {
  readonly #workers: readonly Worker[];
  /** asked for by this class, not yet by its user */
  readonly #promised = new Map<number, Promise<ProcessorBatch>>();
  /** without an answer yet */
  readonly #pending = new Map<number, Settle>();
  readonly #numSteps: number;
  #failure: Error | undefined;
  #isClosed = false;

  constructor(plan: BatchPlan, numWorkers: number, numSteps: number) {
    this.#numSteps = numSteps;
    const entry = workerEntry("./batch-worker.js", import.meta.url);
    this.#workers = Array.from({ length: numWorkers }, () => {
      const worker = new Worker(entry, { workerData: plan });
      worker.on("message", (reply: BatchReply) => this.#settle(reply));
      worker.on("error", (error) => this.#fail(new Error(`a data worker failed: ${error.message}`, { cause: error })));
      worker.on("exit", (code) => {
        if (!this.#isClosed) this.#fail(new Error(`a data worker ended by itself with code ${code}`));
      });
      return worker;
    });
  }

  next(step: number): Promise<ProcessorBatch> {
    if (this.#failure) return Promise.reject(this.#failure);
    const end = Math.min(this.#numSteps, step + this.#workers.length * BATCHES_PER_WORKER);
    for (let ahead = step; ahead < end; ahead++) this.#request(ahead);
    const promise = this.#promised.get(step)!;
    this.#promised.delete(step);
    return promise;
  }

  #request(step: number): void {
    if (this.#promised.has(step)) return;
    const promise = new Promise<ProcessorBatch>((resolve, reject) => {
      this.#pending.set(step, { resolve, reject });
    });
    promise.catch(() => {}); // reported when its turn comes
    this.#promised.set(step, promise);
    this.#workers[step % this.#workers.length]!.postMessage(step);
  }

  #settle(reply: BatchReply): void {
    const settle = this.#pending.get(reply.step);
    this.#pending.delete(reply.step);
    if ("batch" in reply) settle?.resolve(reply.batch);
    else settle?.reject(fromErrorMessage(reply.error));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#fail(new Error("the batches were closed"));
  }
}

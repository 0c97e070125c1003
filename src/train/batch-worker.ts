/** A worker thread that makes batches on request. Started by `PrefetchedBatches` alone. */
import { parentPort, workerData } from "node:worker_threads";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { type ErrorMessage, toErrorMessage } from "../support/error-message.js";
import { type BatchPlan, BatchSource } from "./batch-source.js";

/** The batch of a step, or why there is none. */
export type BatchReply =
  | { readonly step: number; readonly batch: ProcessorBatch }
  | { readonly step: number; readonly error: ErrorMessage };

const port = parentPort;
if (port !== null) {
  const source = BatchSource.open(workerData as BatchPlan);
  source.catch(() => {}); // told to whoever asks for a batch
  let queue: Promise<void> = Promise.resolve();
  port.on("message", (step: number) => {
    queue = queue.then(async () => {
      try {
        const batch = await (await source).batch(step);
        // Handed over, not copied. Arrays may share memory or be views of a part, so each buffer is listed once.
        const buffers = new Set(Object.values(batch.arrays).map(({ data }) => data.buffer as ArrayBuffer));
        port.postMessage({ step, batch } satisfies BatchReply, [...buffers]);
      } catch (error) {
        port.postMessage({ step, error: toErrorMessage(error) } satisfies BatchReply);
      }
    });
  });
}

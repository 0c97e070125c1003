import { Worker } from "node:worker_threads";
import { workerEntry } from "../../support/worker-entry.js";
import type { MetricsRow } from "./metrics-row.js";
import type { UploadEvent, UploadPlan } from "./run-uploader.js";

/** What the thread is told. */
export type UploadRequest =
  | { readonly kind: "row"; readonly row: MetricsRow }
  | { readonly kind: "close"; readonly exitCode: number; readonly limitMs: number };

/** What the thread tells. */
export type UploadReply = UploadEvent | { readonly kind: "closed"; readonly hasEverything: boolean };

/** How long a thread may take to say that it has ended, after its limit. */
const GRACE_MS = 1_000;

/**
 * A `RunUploader` in a thread of its own. A training step holds its thread for seconds at times; an exchange with a server
 * that has to wait for that would time out.
 */
export class UploadThread {
  readonly #worker: Worker;
  readonly #ended: Promise<boolean>;

  constructor(plan: UploadPlan, onEvent: (event: UploadEvent) => void) {
    this.#worker = new Worker(workerEntry("./upload-worker.js", import.meta.url), { workerData: plan });
    this.#worker.unref(); // a program that ends without closing its log is not kept alive by it
    this.#ended = new Promise((resolve) => {
      this.#worker.on("message", (reply: UploadReply) => {
        if (reply.kind === "closed") resolve(reply.hasEverything);
        else onEvent(reply);
      });
      this.#worker.on("error", (error) => {
        onEvent({ kind: "trouble", message: `internal: the upload failed: ${error.message}`, isFinal: true });
        resolve(false);
      });
      this.#worker.on("exit", () => resolve(false));
    });
  }

  add(row: MetricsRow): void {
    this.#worker.postMessage({ kind: "row", row } satisfies UploadRequest);
  }

  /**
   * Sends what is left, for `limitMs` at most, and ends the thread.
   *
   * @returns whether the server has everything
   */
  async close(exitCode: number, limitMs: number): Promise<boolean> {
    this.#worker.postMessage({ kind: "close", exitCode, limitMs } satisfies UploadRequest);
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), limitMs + GRACE_MS);
    });
    const hasEverything = await Promise.race([this.#ended, overdue]);
    clearTimeout(timer);
    await this.#worker.terminate();
    return hasEverything;
  }
}

import { on } from "node:events";
import { Worker } from "node:worker_threads";
import { fromErrorMessage } from "../support/error-message.js";
import { workerEntry } from "../support/worker-entry.js";
import { numThreads, setNumThreads } from "../torch/index.js";
import { type Episode, type RolloutRequest, rollOut } from "./rollout.js";
import type { RolloutOrder, RolloutPlan, RolloutReply } from "./rollout-worker.js";

/**
 * Rollouts on this thread and others. A small policy keeps one core busy, and episodes know nothing of each other: each thread
 * has the policy in its own memory, and drives every n-th episode.
 */
export class RolloutThreads {
  readonly #others: readonly RolloutThread[];

  /** @param numOthers threads besides this one */
  constructor(plan: RolloutPlan, numOthers: number) {
    this.#others = Array.from({ length: numOthers }, () => new RolloutThread(plan));
  }

  /**
   * `rollOut` with the same episodes in the same order (up to the rounding of batched arithmetic), each thread with a batch of its
   * own. One at a time. What a signal ends is given up to the first episode that is missing.
   *
   * @throws what `rollOut` throws, in whichever thread
   */
  async *rollOut(request: Omit<RolloutRequest, "part">): AsyncGenerator<Episode, void, undefined> {
    const { policy, makeEnvironment, signal, onRound, ...rest } = request;
    const of = this.#others.length + 1;
    const stop = (): void => {
      for (const thread of this.#others) thread.stop();
    };
    const threadsOfOperators = numThreads();
    const ownThreads = Math.max(1, Math.floor(threadsOfOperators / of));
    setNumThreads(ownThreads);
    signal?.addEventListener("abort", stop);
    try {
      const others = this.#others.map((thread, i) =>
        thread.start({ ...rest, part: { index: i + 1, of }, numThreads: ownThreads }),
      );
      if (signal?.aborted) stop();
      const own = rollOut({
        ...request,
        part: { index: 0, of },
        onRound: (share) => onRound?.(share === 1 && of > 1 ? 0.99 : share),
      });
      const parts = [own, ...others];
      for (let i = 0; ; i++) {
        const { value, done } = await parts[i % of]!.next();
        if (done) break;
        yield value;
      }
      for (const part of parts) for await (const _ of part); // what runs still, after a signal
      if (!signal?.aborted && of > 1) onRound?.(1);
    } finally {
      signal?.removeEventListener("abort", stop);
      setNumThreads(threadsOfOperators);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#others.map((thread) => thread.close()));
  }
}

class RolloutThread {
  readonly #worker: Worker;
  #failure: Error | undefined;

  constructor(plan: RolloutPlan) {
    this.#worker = new Worker(workerEntry("./rollout-worker.js", import.meta.url), { workerData: plan });
    this.#worker.on("error", (error) => {
      this.#failure = new Error(`a thread that drives episodes failed: ${error.message}`, { cause: error });
    });
    this.#worker.on("exit", () => {
      this.#failure ??= new Error("a thread that drives episodes has ended");
    });
  }

  /** Begins at once; what is given waits until it is asked for. */
  start(order: RolloutOrder): AsyncGenerator<Episode, void, undefined> {
    const replies = on(this.#worker, "message", { close: ["exit"] }) as AsyncIterable<[RolloutReply]>;
    this.#worker.postMessage(order);
    return this.#episodes(replies);
  }

  async *#episodes(replies: AsyncIterable<[RolloutReply]>): AsyncGenerator<Episode, void, undefined> {
    try {
      if (this.#failure) throw this.#failure; // it would never answer
      for await (const [reply] of replies) {
        if ("error" in reply) throw fromErrorMessage(reply.error);
        if (!("episode" in reply)) return;
        yield reply.episode;
      }
    } catch (error) {
      throw this.#failure ?? error;
    }
    throw this.#failure ?? new Error("a thread that drives episodes ended by itself");
  }

  /** Lets the episodes that are running end, and begins no more. */
  stop(): void {
    this.#worker.postMessage("stop");
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

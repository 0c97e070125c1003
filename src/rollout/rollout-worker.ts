/** A worker thread that drives episodes. Started by `RolloutThreads` alone. */
import { parentPort, workerData } from "node:worker_threads";
import { makeEnvironment } from "../env/index.js";
import { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { type ErrorMessage, toErrorMessage } from "../support/error-message.js";
import { setNumThreads } from "../torch/index.js";
import { type Episode, type RolloutRequest, rollOut } from "./rollout.js";

/** What a thread drives, and through what. */
export interface RolloutPlan {
  readonly policy: { readonly folder: string; readonly device: string; readonly precision: "fp32" | "bf16" };
  readonly environment: { readonly type: string; readonly options: Readonly<Record<string, unknown>> };
}

/** A part of a rollout, with the number of threads that compute an operator. */
export type RolloutOrder = Omit<RolloutRequest, "policy" | "makeEnvironment" | "signal" | "onRound"> & {
  readonly numThreads: number;
};

/** An episode; none after the last, or why there are no more. */
export type RolloutReply = { readonly episode: Episode } | { readonly error: ErrorMessage } | { readonly ended: true };

const port = parentPort;
if (port !== null) {
  const plan = workerData as RolloutPlan;
  const { folder, device, precision } = plan.policy;
  const loaded = SmolVLAPolicy.load(folder, { device, precision });
  loaded.catch(() => {}); // told to whoever asks for episodes
  const reply = (message: RolloutReply): void => port.postMessage(message);
  let stop = new AbortController();
  port.on("message", async (order: RolloutOrder | "stop") => {
    if (order === "stop") return stop.abort();
    stop = new AbortController();
    const { signal } = stop;
    const { numThreads, ...request } = order;
    try {
      setNumThreads(numThreads);
      const makeOne = () => makeEnvironment(plan.environment.type, plan.environment.options);
      const policy = await loaded;
      for await (const episode of rollOut({ ...request, policy, makeEnvironment: makeOne, signal })) reply({ episode });
      reply({ ended: true });
    } catch (error) {
      reply({ error: toErrorMessage(error) });
    }
  });
}

/** Policies in closed loop with worlds. */
export { evalInfo } from "./eval-info.js";
export { expectFit } from "./expect-fit.js";
export { policyLatency } from "./latency.js";
export { type Recording, type RecordingRequest, recordDemonstrations } from "./record-demonstrations.js";
export { type Episode, type RolloutRequest, rollOut } from "./rollout.js";
export { type RolloutSummary, summarizeEpisodes } from "./summarize.js";

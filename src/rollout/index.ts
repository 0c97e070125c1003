/** Policies in closed loop with worlds. */
export { evalInfo } from "./eval-info.js";
export { expectFit } from "./expect-fit.js";
export { policyLatency } from "./latency.js";
export { type Recording, type RecordingRequest, recordDemonstrations } from "./record-demonstrations.js";
export { type Episode, type RolloutRequest, rollOut } from "./rollout.js";
export { RolloutThreads } from "./rollout-threads.js";
export { type RolloutSummary, summarizeEpisodes } from "./summarize.js";
export { episodeFrames, type RecordedEpisode } from "./video/episode-frames.js";
export { episodeVideoPath } from "./video/episode-video-path.js";
export { loadVideoEncoder } from "./video/load-video-encoder.js";
export { VIDEO_SIZE, writeEpisodeVideo } from "./video/write-episode-video.js";
export { writeVideo } from "./video/write-video.js";

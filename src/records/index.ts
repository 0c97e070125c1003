/** What a run leaves on disk and tells dashboards. Nothing here needs libtorch. */

export type { LogSink, OnMessage } from "./log-sink.js";
export { type LogSinkRequest, openLogSinks } from "./open-log-sinks.js";
export { type Environment, type RunIdRequest, type WandbSettings, wandbRunId } from "./wandb/wandb-settings.js";

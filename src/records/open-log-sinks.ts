import type { LogSink, OnMessage } from "./log-sink.js";
import { TensorBoardSink } from "./tensorboard/tensorboard-sink.js";
import type { UploadTiming } from "./wandb/run-uploader.js";
import { type Environment, resolveWandb, type WandbSettings, wandbRunId } from "./wandb/wandb-settings.js";
import { WandbSink } from "./wandb/wandb-sink.js";

export interface LogSinkRequest {
  readonly runFolder: string;
  readonly jobName: string;
  /** what a run can be found by, such as `seed:1000` */
  readonly tags: readonly string[];
  /** whether the run in the folder is continued */
  readonly resume: boolean;
  readonly tensorboard: boolean;
  readonly wandb: WandbSettings;
  readonly environment: Environment;
  readonly onMessage: OnMessage;
  readonly now?: () => Date;
  /** how long closing may wait for a server */
  readonly closeLimitMs?: number;
  readonly uploadTiming?: UploadTiming;
}

/**
 * Opens the logs that the settings ask for besides `records.jsonl`, as one.
 *
 * @throws ConfigError if a setting or variable of Weights & Biases cannot be used
 * @throws CheckpointError if the run's folder cannot be written to
 */
export function openLogSinks(request: LogSinkRequest): LogSink {
  const { runFolder, jobName, tags, resume, environment, onMessage, now, closeLimitMs, uploadTiming } = request;
  const target = resolveWandb(request.wandb, environment);
  const clock = now ? { now } : {};
  const sinks: LogSink[] = [];
  if (target !== undefined) {
    sinks.push(
      new WandbSink({
        ...{ runFolder, tags, target, onMessage, ...clock },
        runId: wandbRunId({ runFolder, settings: request.wandb, environment, resume }),
        displayName: jobName,
        ...(closeLimitMs === undefined ? {} : { closeLimitMs }),
        ...(uploadTiming === undefined ? {} : { timing: uploadTiming }),
      }),
    );
  }
  if (request.tensorboard) sinks.push(new TensorBoardSink({ runFolder, onMessage, ...clock }));
  return {
    record: (event) => {
      for (const sink of sinks) sink.record(event);
    },
    close: async () => {
      await Promise.all(sinks.map((sink) => sink.close()));
    },
  };
}

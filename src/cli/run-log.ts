import { basename } from "node:path";
import { type LogSink, openLogSinks, wandbRunId } from "../records/index.js";
import type { RunEvent } from "../records/run-event.js";
import { RunRecorder } from "../records/run-recorder.js";
import { isUserError, messageOf } from "../support/errors.js";
import type { TrainConfig } from "../train/config.js";
import type { Logger } from "./logger.js";

/** The settings with the id of the run in Weights & Biases, which checkpoints carry so that LeRobot can continue it too. */
export function withWandbRunId(settings: TrainConfig): TrainConfig {
  const { wandb, outputDir: runFolder, resume } = settings;
  if (!wandb.enable) return settings;
  const runId = wandbRunId({ runFolder, settings: wandb, environment: process.env, resume });
  return { ...settings, wandb: { ...wandb, runId } };
}

/** Everything that a run's events are written to: its records, and the dashboards that its settings ask for. */
export class RunLog {
  readonly #recorder: RunRecorder;
  readonly #dashboards: LogSink;

  private constructor(recorder: RunRecorder, dashboards: LogSink) {
    this.#recorder = recorder;
    this.#dashboards = dashboards;
  }

  /** @throws ConfigError, CheckpointError if a dashboard's settings or the run's folder cannot be used */
  static open(config: TrainConfig, logger: Logger): RunLog {
    const { outputDir, jobName, seed, dataset, resume, tensorboard, wandb } = config;
    const data = dataset.repoId ?? basename(dataset.root ?? "");
    const dashboards = openLogSinks({
      runFolder: outputDir,
      jobName,
      tags: ["policy:smolvla", `seed:${seed ?? "None"}`, `dataset:${data}`],
      resume,
      tensorboard,
      wandb,
      environment: process.env,
      onMessage: (kind, message) => logger[kind](message),
    });
    return new RunLog(new RunRecorder(outputDir), dashboards);
  }

  record(event: RunEvent): void {
    this.#recorder.record(event);
    this.#dashboards.record(event);
  }

  /** What ended the run may keep its records from being written too, as a full disk does; it is the error to report. */
  recordFailure(step: number, failure: unknown): void {
    const event = { event: "end", step, reason: "failed", message: messageOf(failure) } as const;
    try {
      this.#recorder.record(event);
    } catch (error) {
      if (!isUserError(error)) throw error;
    }
    this.#dashboards.record(event);
  }

  async close(): Promise<void> {
    this.#recorder.close();
    await this.#dashboards.close();
  }
}

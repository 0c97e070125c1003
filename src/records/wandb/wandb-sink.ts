import { hostname } from "node:os";
import type { LogSink, OnMessage } from "../log-sink.js";
import type { EndEvent, RunEvent, RunStartEvent } from "../run-event.js";
import { WriteGuard } from "../write-guard.js";
import { type MetricsRow, RowGatherer } from "./metrics-row.js";
import type { RunConfig, RunDescription } from "./run-records.js";
import { UPLOAD_TIMING, type UploadEvent, type UploadTiming } from "./run-uploader.js";
import { UploadThread } from "./upload-thread.js";
import { WandbRun } from "./wandb-run.js";
import type { WandbTarget } from "./wandb-settings.js";

export interface WandbSinkOptions {
  readonly runFolder: string;
  readonly runId: string;
  readonly displayName: string;
  readonly tags: readonly string[];
  readonly target: WandbTarget;
  readonly onMessage: OnMessage;
  readonly now?: () => Date;
  /** how long closing may wait for the server */
  readonly closeLimitMs?: number;
  readonly timing?: UploadTiming;
}

export const CLOSE_LIMIT_MS = 15_000;

/** Weights & Biases refuses longer ones; LeRobot cuts them too. */
const MAX_TAG_LENGTH = 64;

/** By the convention of the real client; a run that is closed without an end has failed. */
const EXIT_CODES: Readonly<Record<EndEvent["reason"], number>> = { completed: 0, failed: 1, interrupted: 255 };

/**
 * Keeps a run's configuration and metrics in a folder for `wandb sync`, and with a server sends them there too while the
 * run trains. The server's answers are never waited for, except by `close`, for a limited time.
 *
 * Warnings, checkpoints and model files are not sent.
 */
export class WandbSink implements LogSink {
  readonly #options: WandbSinkOptions;
  readonly #now: () => Date;
  readonly #guard: WriteGuard;
  #run: WandbRun | undefined;
  #rows: RowGatherer | undefined;
  #upload: UploadThread | undefined;
  #exitCode = EXIT_CODES.failed;
  #startMs = 0;
  #earlierRuntimeS = 0;
  #isClosed = false;

  constructor(options: WandbSinkOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => new Date());
    this.#guard = new WriteGuard(
      "The folder for `wandb sync` gets nothing more of this run; records.jsonl has it all",
      options.onMessage,
    );
  }

  record(event: RunEvent): void {
    if (this.#isClosed) return;
    if (event.event === "run-start") this.#start(event);
    else if (event.event === "step" || event.event === "evaluation") this.#write(this.#rows?.add(event));
    else if (event.event === "end") this.#exitCode = EXIT_CODES[event.reason];
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#write(this.#rows?.take());
    this.#guard.run(() => this.#run?.end(this.#exitCode, this.#runtimeS()));
    const isSent = await this.#upload?.close(this.#exitCode, this.#options.closeLimitMs ?? CLOSE_LIMIT_MS);
    if (this.#run === undefined) return;
    if (isSent === true) this.#guard.run(() => this.#run?.markSynced());
    else if (!this.#guard.hasFailed) this.#sayHowToSync(this.#run.folder, isSent === false);
  }

  #start({ step, config, versions }: RunStartEvent): void {
    const { runFolder, runId, displayName, tags, target } = this.#options;
    const { project, entity, notes, server } = target;
    const run: RunDescription = {
      ...{ runId, project, entity, displayName, notes, host: hostname() },
      tags: tags.map((tag) => tag.slice(0, MAX_TAG_LENGTH)),
    };
    const fullConfig: RunConfig = { ...config, versions };
    const now = this.#now();
    this.#startMs = now.getTime();
    this.#guard.run(() => {
      this.#run =
        step === 0
          ? WandbRun.begin(runFolder, run, fullConfig, now)
          : WandbRun.resume(runFolder, run, fullConfig, step, now);
    });
    this.#earlierRuntimeS = this.#run?.earlierRuntimeS ?? 0;
    this.#rows = new RowGatherer(
      { runtimeS: () => this.#runtimeS(), timeS: () => this.#now().getTime() / 1000 },
      this.#run?.lastStep ?? -1,
    );
    if (server !== undefined) {
      const timing = this.#options.timing ?? UPLOAD_TIMING;
      const plan = { server, run, config: fullConfig, isContinued: step > 0, timing };
      this.#upload = new UploadThread(plan, (event) => this.#hear(event));
    }
    this.#announce();
  }

  #announce(): void {
    const { target, onMessage } = this.#options;
    if (this.#run === undefined || target.server !== undefined) return;
    const because = target.isOfflineByChoice ? "" : ", as there is no key (WANDB_API_KEY)";
    onMessage("info", `wandb: the run is kept in ${this.#run.folder}${because}`);
  }

  #hear(event: UploadEvent): void {
    const { onMessage } = this.#options;
    if (event.kind === "connected") {
      onMessage("info", `wandb: track this run at ${event.page}`);
      return;
    }
    const outlook = event.isFinal ? "Nothing more is sent" : "Sending is tried again in the background";
    const kept = this.#run === undefined ? "" : `; everything is kept in ${this.#run.folder}`;
    onMessage("warning", `wandb: ${event.message}. ${outlook}${kept}`);
  }

  #sayHowToSync(folder: string, wasTried: boolean): void {
    const { onMessage } = this.#options;
    if (wasTried)
      onMessage("warning", `wandb: the server does not have all of the run. Send it with: wandb sync ${folder}`);
    else onMessage("info", `wandb: send the run with: wandb sync ${folder}`);
  }

  #write(row: MetricsRow | undefined): void {
    if (row === undefined) return;
    this.#guard.run(() => this.#run?.write(row));
    this.#upload?.add(row);
  }

  #runtimeS(): number {
    return this.#earlierRuntimeS + (this.#now().getTime() - this.#startMs) / 1000;
  }
}

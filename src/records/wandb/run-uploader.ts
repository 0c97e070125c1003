import { columnsToJson, type MetricsRow, rowColumns } from "./metrics-row.js";
import type { RunConfig, RunDescription } from "./run-records.js";
import { RequestError, type ServerRun, WandbConnection } from "./wandb-server.js";
import type { WandbServer } from "./wandb-settings.js";

/** When an uploader does what. */
export interface UploadTiming {
  /** rows are gathered this long before they are sent */
  readonly gatherMs: number;
  /** a run of which the server has heard nothing for some minutes counts as crashed there */
  readonly heartbeatMs: number;
  readonly requestTimeoutMs: number;
  /** before trying again after the first failure; doubled with each further one */
  readonly minRetryMs: number;
  readonly maxRetryMs: number;
  /** rows that wait while the server cannot be reached; of more, the oldest are left to `wandb sync` */
  readonly maxRows: number;
}

export const UPLOAD_TIMING: UploadTiming = {
  gatherMs: 2_000,
  heartbeatMs: 30_000,
  requestTimeoutMs: 20_000,
  minRetryMs: 1_000,
  maxRetryMs: 60_000,
  maxRows: 10_000,
};

/** What is to be uploaded, and where; plain data that can be sent to a thread. */
export interface UploadPlan {
  readonly server: WandbServer;
  readonly run: RunDescription;
  readonly config: RunConfig;
  /** whether the server may have rows of the run already */
  readonly isContinued: boolean;
  readonly timing: UploadTiming;
}

/** What an uploader has to say; of `trouble` the first is told, and one that ends the upload. */
export type UploadEvent =
  | { readonly kind: "connected"; readonly page: string }
  | { readonly kind: "trouble"; readonly message: string; readonly isFinal: boolean };

const MAX_ROWS_PER_REQUEST = 1_000;

/**
 * Sends a run's rows to the server in the background and tries again when that fails. Adding a row never waits.
 *
 * Rows are addressed by their line number in the run's history, so a request that is repeated changes nothing.
 */
export class RunUploader {
  readonly #plan: UploadPlan;
  readonly #onEvent: (event: UploadEvent) => void;
  readonly #connection: WandbConnection;
  readonly #end = new AbortController();
  readonly #finished: Promise<void>;
  readonly #queue: MetricsRow[] = [];
  /** taken off the queue, without an answer yet */
  #sending: readonly MetricsRow[] = [];
  #summary = new Map<string, string>();
  #run: ServerRun | undefined;
  /** of the next row that is sent */
  #line = 0;
  #lastStep = -1;
  #numLost = 0;
  #exitCode: number | undefined;
  #isComplete = false;
  #hasTroubled = false;
  #wake = (): void => {};

  constructor(plan: UploadPlan, onEvent: (event: UploadEvent) => void) {
    this.#plan = plan;
    this.#onEvent = onEvent;
    this.#connection = new WandbConnection(plan.server, plan.timing.requestTimeoutMs, this.#end.signal);
    this.#finished = this.#work();
  }

  add(row: MetricsRow): void {
    this.#queue.push(row);
    if (this.#queue.length > this.#plan.timing.maxRows) {
      this.#queue.shift();
      this.#numLost += 1;
    }
    this.#wake();
  }

  /**
   * Sends what is left and the run's end, for `limitMs` at most.
   *
   * @returns whether the server has everything
   */
  async close(exitCode: number, limitMs: number): Promise<boolean> {
    this.#exitCode = exitCode;
    this.#wake();
    const limit = setTimeout(() => this.#end.abort(), limitMs);
    this.#end.signal.addEventListener("abort", () => this.#wake());
    await this.#finished;
    clearTimeout(limit);
    return this.#isComplete && this.#numLost === 0;
  }

  async #work(): Promise<void> {
    const { gatherMs, heartbeatMs, minRetryMs, maxRetryMs } = this.#plan.timing;
    let retryMs = minRetryMs;
    while (!this.#end.signal.aborted) {
      try {
        await this.#send();
        if (this.#isComplete) return;
        retryMs = minRetryMs;
        await this.#sleep(heartbeatMs, () => this.#queue.length > 0 || this.#isClosing);
        await this.#sleep(gatherMs, () => this.#isClosing);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        if (this.#end.signal.aborted) return;
        if (!this.#hasTroubled || error.isFinal) {
          this.#onEvent({ kind: "trouble", message: error.message, isFinal: error.isFinal });
        }
        this.#hasTroubled = true;
        if (error.isFinal) return;
        // A run that begins to close tries at once, and then often.
        const wasClosing = this.#isClosing;
        await this.#sleep(wasClosing ? minRetryMs : retryMs, () => this.#isClosing && !wasClosing);
        retryMs = Math.min(maxRetryMs, retryMs * 2);
      }
    }
  }

  get #isClosing(): boolean {
    return this.#exitCode !== undefined;
  }

  /** Waits for some time, until `isOver` or the limit of closing at most. */
  async #sleep(ms: number, isOver: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (!isOver() && !this.#end.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
      this.#wake(); // for what came before the wait
    });
    this.#wake = () => {};
  }

  async #send(): Promise<void> {
    this.#run ??= await this.#connect();
    do {
      if (this.#sending.length === 0) this.#sending = this.#queue.splice(0, MAX_ROWS_PER_REQUEST);
      const rows = this.#sending.filter(({ step }) => step > this.#lastStep);
      for (const row of rows) this.#summarise(row);
      const exitCode = this.#queue.length === 0 ? this.#exitCode : undefined;
      await this.#connection.stream(this.#run, this.#plan.run.runId, {
        ...(rows.length > 0 ? { files: this.#files(rows) } : {}),
        ...(exitCode === undefined ? {} : { complete: true, exitcode: exitCode }),
      });
      this.#sending = [];
      this.#line += rows.length;
      this.#lastStep = rows.at(-1)?.step ?? this.#lastStep;
      this.#isComplete = exitCode !== undefined;
    } while (this.#queue.length > 0);
  }

  #files(rows: readonly MetricsRow[]): object {
    return {
      "wandb-history.jsonl": { offset: this.#line, content: rows.map((row) => columnsToJson(rowColumns(row))) },
      "wandb-summary.json": { offset: 0, content: [columnsToJson(this.#summary)] },
    };
  }

  #summarise(row: MetricsRow): void {
    for (const [name, value] of rowColumns(row)) this.#summary.set(name, value);
    this.#summary.set("_wandb", `{"runtime":${Math.floor(row.runtimeS)}}`);
  }

  async #connect(): Promise<ServerRun> {
    const { run, config, isContinued } = this.#plan;
    if (isContinued) {
      const history = await this.#connection.readHistory(run);
      this.#line = history?.numRows ?? 0;
      this.#lastStep = history?.lastStep ?? -1;
      this.#summary = new Map(history?.summary ?? []);
    }
    const found = await this.#connection.upsertRun(run, config);
    this.#onEvent({ kind: "connected", page: this.#connection.pageOf(found, run.runId) });
    return found;
  }
}

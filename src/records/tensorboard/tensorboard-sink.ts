import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { CheckpointError, messageOf } from "../../support/errors.js";
import { dashboardMetrics, type LogSink, type OnMessage } from "../log-sink.js";
import type { RunEvent } from "../run-event.js";
import { WriteGuard } from "../write-guard.js";
import { fileVersionEvent, frameEvent, scalarsEvent, sessionStartEvent, textEvent } from "./event-message.js";

export interface TensorBoardOptions {
  readonly runFolder: string;
  readonly onMessage: OnMessage;
  readonly now?: () => Date;
}

const FOLDER = "tensorboard";

const asJson = (value: unknown): string => `\`\`\`json\n${JSON.stringify(value, undefined, 2)}\n\`\`\``;

/** A name that sorts behind all in the folder: TensorBoard reads the files of a run in the order of their names. */
function nextFileName(folder: string, now: Date): string {
  const seconds = readdirSync(folder).map((name) => Number(/^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0));
  const start = Math.max(Math.floor(now.getTime() / 1000), ...seconds.map((second) => second + 1));
  return `events.out.tfevents.${String(start).padStart(10, "0")}.${hostname()}.${process.pid}.0`;
}

/**
 * Writes a run's events to a new file in `<run folder>/tensorboard/`: scalars under LeRobot's names; configuration,
 * versions, warnings, checkpoints and the run's end as texts.
 *
 * A run that continues after step N tells TensorBoard to forget what earlier files hold beyond N.
 */
export class TensorBoardSink implements LogSink {
  readonly path: string;
  readonly #file: number;
  readonly #now: () => Date;
  readonly #guard: WriteGuard;
  #isClosed = false;

  /** @throws CheckpointError if no file can be made in the folder */
  constructor({ runFolder, onMessage, now = () => new Date() }: TensorBoardOptions) {
    this.#now = now;
    const folder = join(runFolder, FOLDER);
    try {
      mkdirSync(folder, { recursive: true });
      this.path = join(folder, nextFileName(folder, now()));
      this.#file = openSync(this.path, "wx");
    } catch (error) {
      throw new CheckpointError(`${folder}: expected a folder to write event files in, got ${messageOf(error)}`);
    }
    this.#guard = new WriteGuard("TensorBoard gets nothing more of this run; records.jsonl has it all", onMessage);
    this.#write(fileVersionEvent(this.#seconds()));
  }

  record(event: RunEvent): void {
    if (this.#isClosed) return;
    const { step } = event;
    const text = (name: string, markdown: string): void =>
      this.#write(textEvent(this.#seconds(), step, `${name}/text_summary`, markdown));
    switch (event.event) {
      case "run-start":
        this.#write(sessionStartEvent(this.#seconds(), step === 0 ? 0 : step + 1));
        text("config", asJson(event.config));
        text("versions", asJson(event.versions));
        break;
      case "step":
      case "evaluation":
        this.#write(scalarsEvent(this.#seconds(), step, dashboardMetrics(event)));
        break;
      case "checkpoint":
        text("checkpoint", `\`${event.path}\``);
        break;
      case "warning":
        text("warning", event.message);
        break;
      case "end":
        text("end", event.message === undefined ? event.reason : `${event.reason}: ${event.message}`);
        break;
      default:
        event satisfies never;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#guard.run(() => closeSync(this.#file));
  }

  #seconds(): number {
    return this.#now().getTime() / 1000;
  }

  #write(message: Buffer): void {
    this.#guard.run(() => {
      const bytes = frameEvent(message);
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
      } catch (error) {
        throw new CheckpointError(`${this.path}: cannot be written (${messageOf(error)})`);
      }
    });
  }
}

import { messageOf } from "../support/errors.js";
import type { OnMessage } from "./log-sink.js";

/**
 * Keeps a log's failure (a full disk, a folder that was deleted) away from the run that is logged: the first one is told
 * as a warning and ends the log, since a file with a hole is worse than one that stops.
 */
export class WriteGuard {
  readonly #consequence: string;
  readonly #onMessage: OnMessage;
  #hasFailed = false;

  /** @param consequence what the failure means to the user, as a sentence */
  constructor(consequence: string, onMessage: OnMessage) {
    this.#consequence = consequence;
    this.#onMessage = onMessage;
  }

  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Does it, unless something has failed before. */
  run(write: () => void): void {
    if (this.#hasFailed) return;
    try {
      write();
    } catch (error) {
      this.#hasFailed = true;
      this.#onMessage("warning", `${messageOf(error)}. ${this.#consequence}`);
    }
  }
}

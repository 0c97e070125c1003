// A program that does one step for every line "step" on its standard input, and answers in lines of JSON.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const CLOCK_TICKS_PER_SECOND = 100;

/** Processor seconds that a process has used; undefined where the operating system does not say so in `/proc`. */
function processorSeconds(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

export class StepProcess {
  #child;
  #lines;
  #started = performance.now();

  /**
   * @param {string} command
   * @param {readonly string[]} args
   * @param {NodeJS.ProcessEnv} env
   */
  constructor(command, args, env) {
    this.#child = spawn(command, args, { env, stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async #next(event) {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`bench: ${this.#child.spawnargs.join(" ")} ended before its "${event}"`);
    const line = JSON.parse(value);
    if (line.event !== event) throw new Error(`bench: expected "${event}", got ${value}`);
    return line;
  }

  /** Waits until it is built, does a first step, and says how long both took from the process's start. */
  async start() {
    const ready = await this.#next("ready");
    const readySeconds = (performance.now() - this.#started) / 1000;
    const first = await this.step();
    return { ready, first, readySeconds, firstStepSeconds: (performance.now() - this.#started) / 1000 };
  }

  async step() {
    const before = processorSeconds(this.#child.pid);
    this.#child.stdin.write("step\n");
    const line = await this.#next("step");
    return { ...line, processorSeconds: before === undefined ? undefined : processorSeconds(this.#child.pid) - before };
  }

  async stop() {
    this.#child.stdin.end("quit\n");
    if (this.#child.exitCode === null) await new Promise((ended) => this.#child.once("close", ended));
  }

  /** Ends it at once, after an error. */
  kill() {
    this.#child.kill();
  }
}

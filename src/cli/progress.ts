import { MultiBar } from "cli-progress";
import { formatExponent, formatFixed } from "../records/format-number.js";

/** What is shown about a training run while it goes on. */
export interface ProgressState {
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
}

/** Progress of a training run on the console; stop it in any case, or the terminal keeps a half-drawn bar. */
export interface Progress {
  update(state: ProgressState): void;
  /** lets the pace count from now, after something that was no step */
  restart(step: number): void;
  /** writes a line without disturbing the bar */
  writeLine(line: string): void;
  stop(): void;
}

export interface ProgressOptions {
  readonly total: number;
  /** steps already done, when a run continues */
  readonly initialStep?: number;
  /** steps after which slow and fast ones repeat, if they do; the pace is averaged over all of them */
  readonly cycle?: number;
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** in milliseconds */
  readonly now?: () => number;
}

/** Steps per second are averaged over this many updates or more: enough to be calm, few enough to follow a change. */
const RATE_WINDOW = 50;

/** A bar is redrawn at most this often. */
const REDRAW_MS = 100;

/** Where there is no terminal, a line of progress is written at most this often. */
const PLAIN_LINE_MS = 30_000;

/** `1h 05m`, `3m 20s`, `12s`; the smaller unit is left out above a day. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const s = Math.round(seconds);
  const twoDigits = (n: number): string => String(Math.floor(n)).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${twoDigits(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${twoDigits((s % 3600) / 60)}m`;
  return `${Math.floor(s / 86_400)}d ${twoDigits((s % 86_400) / 3600)}h`;
}

/** Follows steps over time and says how fast they come. */
class Rate {
  readonly #window: number;
  readonly #marks: { readonly step: number; readonly ms: number }[] = [];

  constructor(window: number) {
    this.#window = window;
  }

  mark(step: number, ms: number): void {
    this.#marks.push({ step, ms });
    if (this.#marks.length > this.#window + 1) this.#marks.shift();
  }

  restart(step: number, ms: number): void {
    this.#marks.length = 0;
    this.mark(step, ms);
  }

  /** 0 until two steps are known */
  get stepsPerSecond(): number {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (first === undefined || last === undefined || last.ms <= first.ms) return 0;
    return ((last.step - first.step) * 1000) / (last.ms - first.ms);
  }
}

/** The numbers beside the bar. */
function describe({ step, loss, learningRate }: ProgressState, total: number, stepsPerSecond: number): string {
  const left = formatDuration((total - step) / stepsPerSecond);
  return `loss ${formatFixed(loss, 3)}  lr ${formatExponent(learningRate, 1)}  ${formatFixed(stepsPerSecond, 2)} it/s  ETA ${left}`;
}

/** Progress of a training run: a bar on a terminal, plain lines now and then elsewhere. */
export function startProgress(options: ProgressOptions): Progress {
  const { total, initialStep = 0, cycle = 1, stream, now = Date.now } = options;
  const rate = new Rate(Math.max(RATE_WINDOW, cycle));
  rate.mark(initialStep, now());
  const show = stream.isTTY ? showBar(stream, total, initialStep) : showLines(stream, total);
  const intervalMs = stream.isTTY ? REDRAW_MS : PLAIN_LINE_MS;
  let shownMs = now();
  return {
    update(state) {
      const ms = now();
      rate.mark(state.step, ms);
      if (ms - shownMs < intervalMs && state.step < total) return;
      shownMs = ms;
      show.draw(state.step, describe(state, total, rate.stepsPerSecond));
    },
    restart: (step) => rate.restart(step, now()),
    writeLine: show.writeLine,
    stop: show.stop,
  };
}

interface Display {
  draw(step: number, numbers: string): void;
  writeLine(line: string): void;
  stop(): void;
}

function showBar(stream: NodeJS.WritableStream, total: number, initialStep: number): Display {
  // A multi-bar with one bar: unlike a single bar it can write lines above itself. With `linewrap` it cuts its line to the
  // terminal's width instead of switching the terminal's own wrapping off, which would stay off after a crash.
  const bars = new MultiBar({
    stream,
    format: "{bar} {percentage}% {value}/{total}  {numbers}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 20,
    linewrap: true,
    forceRedraw: true,
    gracefulExit: false,
  });
  const bar = bars.create(total, initialStep, { numbers: "" });
  return {
    draw(step, numbers) {
      bar.update(step, { numbers });
      bars.update();
    },
    writeLine(line) {
      bars.log(`${line}\n`);
      bars.update();
    },
    stop: () => bars.stop(),
  };
}

function showLines(stream: NodeJS.WritableStream, total: number): Display {
  const writeLine = (line: string): void => void stream.write(`${line}\n`);
  return {
    draw: (step, numbers) => writeLine(`${Math.floor((100 * step) / total)}% ${step}/${total}  ${numbers}`),
    writeLine,
    stop: () => {},
  };
}

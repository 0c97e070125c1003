import { formatDuration } from "./progress.js";

/** Told how far a work is, in words and as a share of it from 0 to 1; no share where it cannot be told yet. */
export type ShowProgress = (text: string, share: number | undefined) => void;

export interface ProgressLinesOptions {
  readonly writeLine: (line: string) => void;
  /** in milliseconds */
  readonly now?: () => number;
}

/** A line is written at most this often, but for the last. */
const INTERVAL_MS = 2000;

/** `150 of 480 episodes, about 1m 20s left`, now and then; the rest is taken to last as long as what was seen of the work. */
export function progressLines({ writeLine, now = () => performance.now() }: ProgressLinesOptions): ShowProgress {
  let first: { readonly share: number; readonly ms: number } | undefined;
  let shownMs = Number.NEGATIVE_INFINITY;
  return (text, share) => {
    const ms = now();
    if (share !== undefined) first ??= { share, ms };
    if (share !== 1 && ms - shownMs < INTERVAL_MS) return;
    shownMs = ms;
    const isKnown = share !== undefined && share > first!.share && share < 1;
    const seconds = isKnown ? ((ms - first!.ms) / 1000) * ((1 - share) / (share - first!.share)) : undefined;
    writeLine(seconds === undefined ? text : `${text}, about ${formatDuration(seconds)} left`);
  };
}

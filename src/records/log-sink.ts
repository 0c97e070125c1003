import type { Metrics, RunEvent } from "./run-event.js";

/**
 * A place besides `records.jsonl` to which a run's events go, such as a dashboard.
 *
 * Neither method throws: what goes wrong while a run is logged is told once, as a warning, and training goes on. Nothing
 * is lost by it, because `records.jsonl` holds every event.
 */
export interface LogSink {
  /** Takes an event; the first is a `run-start`. Events after `close` are ignored. */
  record(event: RunEvent): void;
  /** Writes what is left, for a limited time where a network is involved. */
  close(): Promise<void>;
}

/** Tells the user something, as a sentence. */
export type OnMessage = (kind: "info" | "warning", message: string) => void;

/** Metrics of an event under LeRobot's dashboard names: `train/...` for steps, `eval/...` for evaluations. */
export function dashboardMetrics({ event, metrics }: { event: "step" | "evaluation"; metrics: Metrics }): Metrics {
  const mode = event === "step" ? "train" : "eval";
  const named = Object.entries(metrics).map(([name, value]) => [
    /^(train|eval)\//.test(name) ? name : `${mode}/${name}`,
    value,
  ]);
  return Object.fromEntries(named);
}

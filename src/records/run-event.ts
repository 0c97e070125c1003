import { parseJson } from "../support/parse-json.js";

/**
 * What a run writes down about itself, one event per line of `records.jsonl`. Everything that is known about a run after
 * it has ended (curves, checkpoints, evaluations, why it stopped) is read from these lines.
 */

/** Values by name; unlike in plain JSON, NaN and the infinities survive. */
export type Metrics = Readonly<Record<string, number>>;

/** A run has begun, or continues from a checkpoint. */
export interface RunStartEvent {
  readonly event: "run-start";
  /** 0, or the step of the checkpoint it continues from */
  readonly step: number;
  /** the complete configuration, after defaults and presets */
  readonly config: Readonly<Record<string, unknown>>;
  /** of this package, Node and libtorch, by name */
  readonly versions: Readonly<Record<string, string>>;
}

/** Metrics at a step, averaged since the last such event. */
export interface StepEvent {
  readonly event: "step";
  readonly step: number;
  readonly metrics: Metrics;
}

/** A checkpoint has been written completely. */
export interface CheckpointEvent {
  readonly event: "checkpoint";
  readonly step: number;
  /** relative to the run's folder */
  readonly path: string;
}

/** The policy of a step has been measured. */
export interface EvaluationEvent {
  readonly event: "evaluation";
  readonly step: number;
  readonly metrics: Metrics;
}

/** Something a user should know, as a sentence. */
export interface WarningEvent {
  readonly event: "warning";
  readonly step: number;
  readonly message: string;
}

/** A run has stopped by itself. A run without this event was killed, or still runs. */
export interface EndEvent {
  readonly event: "end";
  readonly step: number;
  readonly reason: "completed" | "interrupted" | "failed";
  /** what failed */
  readonly message?: string;
}

/** An event as a run reports it. */
export type RunEvent = RunStartEvent | StepEvent | CheckpointEvent | EvaluationEvent | WarningEvent | EndEvent;

/** An event as it is stored: with the time, ISO 8601 in UTC. */
export type RunRecord = RunEvent & { readonly time: string };

/** The records' file name in a run's folder. */
export const RECORDS_FILE = "records.jsonl";

/** The fields of each kind of event besides `event`, `step` and `time`; `?` marks one that may be missing. */
const FIELD_TYPES: Readonly<Record<RunEvent["event"], Readonly<Record<string, string>>>> = {
  "run-start": { config: "object", versions: "object" },
  step: { metrics: "object" },
  checkpoint: { path: "string" },
  evaluation: { metrics: "object" },
  warning: { message: "string" },
  end: { reason: "string", message: "string?" },
};

const hasType = (value: unknown, type: string): boolean =>
  (value === undefined && type.endsWith("?")) || (typeof value === type.replace("?", "") && value !== null);

/** One line without its line break. Numbers that JSON cannot hold become "NaN", "Infinity" and "-Infinity". */
export function recordToLine(record: RunRecord): string {
  if (!("metrics" in record)) return JSON.stringify(record);
  const metrics = Object.entries(record.metrics).map(([name, value]) => [
    name,
    Number.isFinite(value) ? value : String(value),
  ]);
  return JSON.stringify({ ...record, metrics: Object.fromEntries(metrics) });
}

/** The record of a line, or undefined if the line is torn or no record of this version. */
export function recordFromLine(line: string): RunRecord | undefined {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const record = value as Readonly<Record<string, unknown>>;
  const kind = record.event;
  if (typeof kind !== "string" || !Object.hasOwn(FIELD_TYPES, kind)) return undefined;
  const fields = Object.entries(FIELD_TYPES[kind as RunEvent["event"]]);
  if (!Number.isSafeInteger(record.step) || typeof record.time !== "string") return undefined;
  if (!fields.every(([name, type]) => hasType(record[name], type))) return undefined;
  if (!("metrics" in record)) return record as unknown as RunRecord;
  const metrics = Object.entries(record.metrics as object).map(([name, number]) => [name, Number(number)]);
  return { ...record, metrics: Object.fromEntries(metrics) } as unknown as RunRecord;
}

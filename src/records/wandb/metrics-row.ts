import { dashboardMetrics } from "../log-sink.js";
import type { EvaluationEvent, Metrics, StepEvent } from "../run-event.js";

/** All metrics of one step, as Weights & Biases keeps them: one row of the run's history. */
export interface MetricsRow {
  readonly step: number;
  readonly metrics: Metrics;
  /** since the run's first start, pauses left out */
  readonly runtimeS: number;
  /** Unix time */
  readonly timeS: number;
}

/** A number as Python's JSON spells it, which is what Weights & Biases reads: NaN and the infinities are words. */
export const numberToJson = (value: number): string => (Number.isFinite(value) ? JSON.stringify(value) : String(value));

/** A row with the names of its own columns, each value as JSON. */
export const rowColumns = ({ step, metrics, runtimeS, timeS }: MetricsRow): ReadonlyMap<string, string> =>
  new Map(
    Object.entries({ ...metrics, _step: step, _runtime: runtimeS, _timestamp: timeS }).map(([name, value]) => [
      name,
      numberToJson(value),
    ]),
  );

/** Columns as one JSON object. */
export const columnsToJson = (columns: ReadonlyMap<string, string>): string =>
  `{${Array.from(columns, ([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;

/**
 * Gathers events into rows. Steps must rise from row to row: what belongs to one step becomes one row, which is complete
 * when a later step comes, and what belongs to a step before is left out, as Weights & Biases' own client does.
 */
export class RowGatherer {
  readonly #runtimeS: () => number;
  readonly #timeS: () => number;
  #row: MetricsRow | undefined;
  #lastStep: number;

  /** @param lastStep the last step that already has a row; -1 if there is none */
  constructor(clock: { readonly runtimeS: () => number; readonly timeS: () => number }, lastStep: number) {
    this.#runtimeS = clock.runtimeS;
    this.#timeS = clock.timeS;
    this.#lastStep = lastStep;
  }

  /** @returns the row that this event has shown to be complete */
  add(event: StepEvent | EvaluationEvent): MetricsRow | undefined {
    const current = this.#row;
    if (event.step <= this.#lastStep || event.step < (current?.step ?? 0)) return undefined;
    const complete = current?.step === event.step ? undefined : this.take();
    this.#row = {
      step: event.step,
      metrics: { ...this.#row?.metrics, ...dashboardMetrics(event) },
      runtimeS: this.#runtimeS(),
      timeS: this.#timeS(),
    };
    return complete;
  }

  /** The row in the making, as it is. */
  take(): MetricsRow | undefined {
    const row = this.#row;
    if (row !== undefined) this.#lastStep = row.step;
    this.#row = undefined;
    return row;
  }
}

import type { StepEvent } from "../records/run-event.js";
import type { LossByTime } from "./report-data.js";

const PREFIX = "train/loss_at_time/";
const MAX_COLUMNS = 120;

/** Whether a metric is a mean loss of a bin of times. */
export const isLossAtTime = (name: string): boolean => name.startsWith(PREFIX);

/**
 * The losses by training time of a run, as a table of bins and columns of steps. Columns of a long run are means of several
 * records; an empty bin is null.
 *
 * @returns undefined for a run that recorded none
 */
export function lossByTime(records: readonly StepEvent[]): LossByTime | undefined {
  const withBins = records.filter(({ metrics }) => Object.keys(metrics).some(isLossAtTime));
  if (withBins.length === 0) return undefined;
  const names = [...new Set(withBins.flatMap(({ metrics }) => Object.keys(metrics).filter(isLossAtTime)))];
  const bins = names.map((name) => name.slice(PREFIX.length)).sort(byTime);
  const perColumn = Math.ceil(withBins.length / MAX_COLUMNS);
  const columns = Array.from({ length: Math.ceil(withBins.length / perColumn) }, (_, i) =>
    withBins.slice(i * perColumn, (i + 1) * perColumn),
  );
  const meanOf = (column: readonly StepEvent[], bin: string): number | null => {
    const values = column.map(({ metrics }) => metrics[PREFIX + bin]).filter((value) => Number.isFinite(value));
    return values.length === 0 ? null : values.reduce((sum: number, value) => sum + value!, 0) / values.length;
  };
  return {
    bins,
    steps: columns.map((column) => column.at(-1)!.step),
    values: bins.map((bin) => columns.map((column) => meanOf(column, bin))),
  };
}

/** By where a bin begins; the single time 1 comes after the bin that ends there. */
const byTime = (a: string, b: string): number => Number.parseFloat(a) - Number.parseFloat(b);

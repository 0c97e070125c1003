import type { Series } from "./report-data.js";

/** Points of a curve that are kept; a screen shows no more. */
const MAX_POINTS = 600;

/**
 * A curve of at most 600 points. Of a longer one each point is the mean of equally many records, with the smallest and the
 * largest of them, so that a spike stays visible. Records that are no finite numbers are counted, and null if alone.
 *
 * @param points in the order of their steps
 */
export function thinSeries(points: readonly (readonly [step: number, value: number])[]): Series {
  const recordsPerPoint = Math.max(1, Math.ceil(points.length / MAX_POINTS));
  const steps: number[] = [];
  const columns = { values: [] as (number | null)[], low: [] as (number | null)[], high: [] as (number | null)[] };
  for (let first = 0; first < points.length; first += recordsPerPoint) {
    const group = points.slice(first, first + recordsPerPoint);
    const finite = group.map(([, value]) => value).filter(Number.isFinite);
    steps.push(group.at(-1)![0]);
    const orNull = (value: number): number | null => (finite.length === 0 ? null : value);
    columns.values.push(orNull(finite.reduce((sum, value) => sum + value, 0) / finite.length));
    columns.low.push(orNull(Math.min(...finite)));
    columns.high.push(orNull(Math.max(...finite)));
  }
  const { values, low, high } = columns;
  const numNotFinite = points.filter(([, value]) => !Number.isFinite(value)).length;
  return { steps, values, recordsPerPoint, numNotFinite, ...(recordsPerPoint > 1 ? { low, high } : {}) };
}

/** A chart of lines as data, for whoever draws it: `chartsToSvg`, `plotInTerminal`. */

export type ScaleKind = "linear" | "log";

export interface Axis {
  readonly label: string;
  readonly scale: ScaleKind;
}

export interface Series {
  readonly name: string;
  /** x and y; points that the scales cannot show (no number, or not above 0 on a logarithmic one) break the line */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** whether single points are marked, for lines of few points */
  readonly hasMarks?: boolean;
}

/** Where a value lies on an axis, as a part of it. */
export interface Scale {
  readonly position: (value: number) => number;
  readonly ticks: readonly number[];
}

export const isShown = (value: number, { scale }: Axis): boolean =>
  Number.isFinite(value) && (scale === "linear" || value > 0);

/** The series in runs of neighbouring points that both axes can show. */
export function shownRuns({ points }: Series, { x, y }: Pick<LineChart, "x" | "y">): (readonly [number, number])[][] {
  const runs: (readonly [number, number])[][] = [[]];
  for (const point of points) {
    if (isShown(point[0], x) && isShown(point[1], y)) runs.at(-1)!.push(point);
    else runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

/** The scales of a chart's axes, around everything they can show; undefined if that is nothing. */
export function scalesOf(chart: LineChart): { readonly x: Scale; readonly y: Scale } | undefined {
  const points = chart.series.flatMap((series) => shownRuns(series, chart).flat());
  if (points.length === 0) return undefined;
  return {
    x: scaleOf(
      points.map(([x]) => x),
      chart.x,
    ),
    y: scaleOf(
      points.map(([, y]) => y),
      chart.y,
    ),
  };
}

function scaleOf(values: readonly number[], { scale }: Axis): Scale {
  const toAxis = scale === "log" ? Math.log10 : (value: number): number => value;
  const on = values.map(toAxis);
  const [least, most] = [Math.min(...on), Math.max(...on)];
  const margin = most > least ? 0.03 * (most - least) : Math.max(0.1, 0.1 * Math.abs(most));
  const [start, end] = [least - margin, most + margin];
  const inside = (value: number): boolean => toAxis(value) >= start && toAxis(value) <= end;
  const ticks = (scale === "log" ? logTicks(start, end) : linearTicks(start, end)).filter(inside);
  return { position: (value) => (toAxis(value) - start) / (end - start), ticks };
}

const NUM_TICKS = 6;

/** Round numbers, 1, 2 or 5 times a power of ten apart. */
function linearTicks(start: number, end: number): number[] {
  const rough = (end - start) / NUM_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const spacing = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(start / spacing);
  const count = Math.floor(end / spacing) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * spacing).toPrecision(12)));
}

/** Powers of ten; with 2 and 5 times them where there are few; round numbers where there are none. */
function logTicks(start: number, end: number): number[] {
  const exponents = Array.from({ length: Math.ceil(end) - Math.floor(start) + 1 }, (_, i) => Math.floor(start) + i);
  const multiples = end - start > 4 ? [1] : [1, 2, 5];
  const ticks = exponents.flatMap((exponent) => multiples.map((factor) => Number(`${factor}e${exponent}`)));
  const shown = ticks.filter((tick) => Math.log10(tick) >= start && Math.log10(tick) <= end);
  return shown.length >= 2 ? shown : linearTicks(10 ** start, 10 ** end);
}

/** `0.05`, `2e-3`, `20000`: short, and exact for ticks. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-2 || size >= 1e5) ? value.toExponential() : String(value);
}

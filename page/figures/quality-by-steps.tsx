import * as Plot from "@observablehq/plot";
import type { ComponentChildren } from "preact";
import type { Interval } from "../../src/eval/index.js";
import { Figure, type Panel } from "../figure/figure.js";
import { type Series, seriesOf } from "../figure/palette.js";
import { drawPlot, seriesLines, tip } from "../figure/plot.js";
import { countOf, figure, figureInterval, percent } from "../format.js";

/** One policy with one number of steps, of a comparison of any kind. */
export interface QualityRow {
  readonly policy: string;
  readonly numSteps: number;
  readonly selfError?: number | undefined;
  readonly teacherError?: number | undefined;
  readonly noiseExplained?: number | undefined;
  readonly noiseExplainedInterval?: Interval | undefined;
}

export interface QualityProps {
  readonly id: string;
  readonly title: string;
  readonly policies: readonly string[];
  readonly rows: readonly QualityRow[];
  readonly caption: ComponentChildren;
  /** of the teacher as it is deployed, against its own flow well solved */
  readonly solverError?: number | undefined;
  readonly deployedSteps?: number | undefined;
  /** of the teacher's samples from other noises: the scale of chance */
  readonly chanceError?: number | undefined;
}

const LOWEST = -1.5;

/** Errors and noise explained against the number of Euler steps, on a logarithmic axis. */
export function QualityBySteps(props: QualityProps) {
  const { id, title, policies, rows, caption, solverError, deployedSteps, chanceError } = props;
  if (rows.length === 0) return null;
  const legend = seriesOf(policies).filter(({ name }) => rows.some(({ policy }) => policy === name));
  const counts = [...new Set(rows.map(({ numSteps }) => numSteps))].sort((a, b) => a - b);
  const rules: readonly Rule[] = [
    ...(solverError === undefined ? [] : [{ y: solverError, dash: "6,4" }]),
    ...(chanceError === undefined ? [] : [{ y: chanceError, dash: "1,4", only: "teacherError" as const }]),
  ];
  const panel = (key: "selfError" | "teacherError" | "noiseExplained", panelTitle: string): readonly Panel[] => {
    const drawn = rows.flatMap((row) => placed(row, key, legend, counts));
    if (drawn.length === 0) return [];
    return [{ title: panelTitle, draw: (width, isShown) => drawPanel(drawn, key, { width, isShown, counts, rules }) }];
  };
  return (
    <Figure
      id={id}
      title={title}
      alt={`Error and noise explained against the number of Euler steps. ${describe(rows)}`}
      caption={
        <>
          {caption}
          {solverError !== undefined &&
            ` Dashed: the teacher's own solver error with ${countOf(deployedSteps ?? 0, "step")}, ${percent(solverError)}.`}
          {chanceError !== undefined &&
            ` Dotted: the teacher with another noise, ${percent(chanceError)}, which is chance.`}{" "}
          Read error and noise explained together: where the noise matters little, a policy that ignores it has a small
          error. Noise explained below {figure(LOWEST)} is drawn at the edge.
        </>
      }
      legend={legend}
      panels={[
        ...panel("teacherError", "e_teach: error to the teacher's flow"),
        ...panel("selfError", "e_self: error to its own flow"),
        ...panel("noiseExplained", "Noise explained (1 copy, 0 ignores noise)"),
      ]}
      table={{
        columns: ["policy", "steps", "e_teach", "e_self", "noise explained", "low (95 %)", "high (95 %)"],
        rows: rows.map((row) => [
          row.policy,
          row.numSteps,
          row.teacherError ?? null,
          row.selfError ?? null,
          row.noiseExplained ?? null,
          row.noiseExplainedInterval?.low ?? null,
          row.noiseExplainedInterval?.high ?? null,
        ]),
      }}
    />
  );
}

interface Placed {
  readonly policy: string;
  readonly series: Series;
  readonly x: number;
  readonly y: number;
  readonly low: number | undefined;
  readonly high: number | undefined;
  readonly note: string;
}

function placed(
  row: QualityRow,
  key: "selfError" | "teacherError" | "noiseExplained",
  legend: readonly Series[],
  counts: readonly number[],
): readonly Placed[] {
  const value = row[key];
  if (value === undefined) return [];
  const place = legend.findIndex(({ name }) => name === row.policy);
  const interval = key === "noiseExplained" ? row.noiseExplainedInterval : undefined;
  const atEdge = (y: number): number => (key === "noiseExplained" ? Math.max(LOWEST, y) : y);
  const text = key === "noiseExplained" ? figureInterval(value, interval) : percent(value);
  return [
    {
      policy: row.policy,
      series: legend[place]!,
      x: row.numSteps * besides(place, legend.length, counts),
      y: atEdge(value),
      low: interval && atEdge(interval.low),
      high: interval && atEdge(interval.high),
      note: `${row.policy}, ${countOf(row.numSteps, "step")}\n${text}`,
    },
  ];
}

/** A factor that puts whiskers of the same number of steps beside each other. */
export const besides = (place: number, count: number, counts: readonly number[]): number =>
  counts.length < 2 ? 1 : 1.035 ** (place - (count - 1) / 2);

interface Rule {
  readonly y: number;
  readonly dash: string;
  /** the panel in which it means something; all of errors if left out */
  readonly only?: "teacherError";
}

interface Surroundings {
  readonly width: number;
  readonly isShown: (name: string) => boolean;
  readonly counts: readonly number[];
  readonly rules: readonly Rule[];
}

function drawPanel(
  all: readonly Placed[],
  key: "selfError" | "teacherError" | "noiseExplained",
  { width, isShown, counts, rules }: Surroundings,
): Element {
  const shown = all.filter(({ policy }) => isShown(policy));
  const isError = key !== "noiseExplained";
  const lines = isError ? rules.filter(({ only }) => only === undefined || only === key) : [{ y: 0, dash: "6,4" }];
  return drawPlot({
    width,
    x: stepsAxis(counts),
    y: {
      label: null,
      grid: true,
      ticks: 5,
      zero: isError,
      tickFormat: isError ? percent : figure,
      ...(isError ? {} : { domain: [Math.min(-0.1, ...all.map(({ y, low }) => low ?? y)), 1] }),
    },
    marks: [
      ...lines.map(({ y, dash }) =>
        Plot.ruleY([y], { stroke: "var(--quiet)", strokeWidth: 1.5, strokeDasharray: dash }),
      ),
      ...seriesLines(shown, ({ series }) => series, { x: "x", y: "y" }),
      Plot.ruleX(
        shown.filter(({ low }) => low !== undefined),
        { x: "x", y1: "low", y2: "high", stroke: ({ series }: Placed) => series.colour, strokeWidth: 1.5 },
      ),
      Plot.dot(shown, {
        x: "x",
        y: "y",
        fill: ({ series }: Placed) => series.colour,
        symbol: ({ series }: Placed) => series.symbol,
        r: 4.5,
      }),
      tip(shown, { x: "x", y: "y", title: "note" }),
    ],
  });
}

/** Numbers of Euler steps, logarithmic, with a tick for each that was measured. */
export const stepsAxis = (counts: readonly number[]): Plot.ScaleOptions => ({
  type: "log",
  label: "Euler steps",
  ticks: counts,
  tickFormat: (count: number) => String(count),
  domain: [counts[0]! / 1.2, counts.at(-1)! * 1.2],
});

function describe(rows: readonly QualityRow[]): string {
  const fewest = Math.min(...rows.map(({ numSteps }) => numSteps));
  return rows
    .filter(({ numSteps }) => numSteps === fewest)
    .map(
      ({ policy, numSteps, teacherError, noiseExplained }) =>
        `${policy} with ${countOf(numSteps, "step")}: error ${percent(teacherError)}, noise explained ${figure(noiseExplained)}.`,
    )
    .join(" ");
}

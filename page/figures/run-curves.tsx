import * as Plot from "@observablehq/plot";
import type { ComponentChildren } from "preact";
import type { RunReport } from "../../src/report/report-data.js";
import { Figure } from "../figure/figure.js";
import { type Series, seriesOf } from "../figure/palette.js";
import { drawPlot, seriesLines, spansOrders, tip } from "../figure/plot.js";
import { figure, stepTick } from "../format.js";

interface Point {
  readonly run: string;
  readonly step: number;
  readonly value: number | null;
  readonly low: number | null | undefined;
  readonly high: number | null | undefined;
  readonly note: string;
}

export interface RunCurvesProps {
  readonly runs: readonly RunReport[];
  /** in the records */
  readonly metric: string;
  readonly id: string;
  readonly title: string;
  readonly caption: ComponentChildren;
}

/** One metric of all runs against steps. Nothing if no run recorded it. */
export function RunCurves({ runs, metric, id, title, caption }: RunCurvesProps) {
  const points = runs.flatMap((run) => pointsOf(run, metric));
  if (points.length === 0) return null;
  const legend = seriesOf(runs.map(({ name }) => name));
  const seriesOfRun = new Map(legend.map((series) => [series.name, series]));
  const seriesOfPoint = ({ run }: Point): Series => seriesOfRun.get(run)!;
  const colourOf = (point: Point): string => seriesOfPoint(point).colour;
  const thinned = Math.max(...runs.map(({ series }) => series[metric]?.recordsPerPoint ?? 1));
  const drawn = points.flatMap(({ value, low, high }) => [value, low, high]);
  return (
    <Figure
      id={id}
      title={title}
      alt={`${title} against steps. ${runs.flatMap((run) => describe(run, metric)).join(" ")}`}
      caption={
        <>
          {caption}
          {thinned > 1 && ` Each point is the mean of up to ${thinned} records; the band is their range.`}
        </>
      }
      legend={legend}
      table={{
        columns: ["run", "step", metric, ...(thinned > 1 ? ["smallest", "largest"] : [])],
        rows: points.map(({ run, step, value, low, high }) => [
          run,
          step,
          value,
          ...(thinned > 1 ? [low ?? value, high ?? value] : []),
        ]),
      }}
      panels={[
        {
          draw: (width, isShown) => {
            const shown = points.filter(({ run }) => isShown(run));
            const warnings = runs.filter(({ name }) => isShown(name)).flatMap(healthSteps);
            return drawPlot({
              width,
              x: { label: "step", tickFormat: stepTick, ticks: width / 90 },
              y: {
                label: null,
                type: spansOrders(drawn) ? "log" : "linear",
                tickFormat: figure,
                grid: true,
                ticks: 5,
              },
              marks: [
                Plot.areaY(
                  shown.filter(({ low }) => low !== undefined),
                  {
                    x: "step",
                    y1: "low",
                    y2: "high",
                    z: "run",
                    fill: colourOf,
                    fillOpacity: 0.15,
                  },
                ),
                ...seriesLines(shown, seriesOfPoint, { x: "step", y: "value" }),
                points.length < 60 && Plot.dot(shown, { x: "step", y: "value", fill: colourOf, r: 2.5 }),
                Plot.ruleX(warnings, { x: "step", stroke: "var(--broken)", strokeDasharray: "2,3" }),
                tip(shown, { x: "step", y: "value", title: "note" }),
              ],
            });
          },
        },
      ]}
    />
  );
}

function pointsOf({ name, series }: RunReport, metric: string): readonly Point[] {
  const curve = series[metric];
  if (curve === undefined) return [];
  return curve.steps.map((step, i) => {
    const value = curve.values[i]!;
    return {
      run: name,
      step,
      value,
      low: curve.low?.[i],
      high: curve.high?.[i],
      note: `${name}\nstep ${step}: ${figure(value)}`,
    };
  });
}

const healthSteps = ({ events }: RunReport) =>
  events.filter(({ kind, message }) => kind === "warning" && message.startsWith("health"));

function describe({ name, series }: RunReport, metric: string): readonly string[] {
  const curve = series[metric];
  if (curve === undefined || curve.steps.length === 0) return [];
  const [first, last] = [curve.values[0], curve.values.at(-1)];
  return [`${name}: from ${figure(first)} at step ${curve.steps[0]} to ${figure(last)} at step ${curve.steps.at(-1)}.`];
}

import * as Plot from "@observablehq/plot";
import type { RunReport } from "../../src/report/report-data.js";
import { Figure, type Panel } from "../figure/figure.js";
import { type Series, seriesOf } from "../figure/palette.js";
import { drawPlot, seriesLines, tip } from "../figure/plot.js";
import { figure, percent, stepTick } from "../format.js";

const MEASURES = [
  { key: "relative_error", title: "Relative error (lower is better)", best: 0 },
  { key: "noise_explained", title: "Noise explained (1 is a perfect copy)", best: 1 },
  { key: "spread_ratio", title: "Spread ratio (1 is right)", best: 1 },
] as const;

/** Below this the copy is worse than ignoring the noise, and how much worse does not matter. */
const LOWEST = -1.5;

interface Point {
  readonly measure: string;
  readonly numSteps: string;
  readonly step: number;
  readonly value: number | null;
  readonly drawn: number | null;
  readonly note: string;
}

/** Agreement with the teacher on held-out episodes while a run trained. Nothing if it was not measured. */
export function AgreementCurves({ run }: { readonly run: RunReport }) {
  const points = pointsOf(run);
  if (points.length === 0) return null;
  const counts = [...new Set(points.map(({ numSteps }) => numSteps))].sort((a, b) => Number(a) - Number(b));
  const legend = seriesOf(counts, (count) => (count === "1" ? "1 Euler step" : `${count} Euler steps`));
  const seriesOfPoint = ({ numSteps }: Point): Series => legend.find(({ name }) => name === numSteps)!;
  const panels = MEASURES.filter(({ key }) => points.some(({ measure }) => measure === key)).map(
    ({ key, title, best }): Panel => ({
      title,
      draw: (width, isShown) => {
        const shown = points.filter(({ measure, numSteps }) => measure === key && isShown(numSteps));
        return drawPlot({
          width,
          x: { label: "step", tickFormat: stepTick, ticks: width / 90 },
          y: { label: null, tickFormat: figure, grid: true, ticks: 5, zero: key === "relative_error" },
          marks: [
            Plot.ruleY([best], { stroke: "var(--quiet)", strokeDasharray: "4,3" }),
            ...seriesLines(shown, seriesOfPoint, { x: "step", y: "drawn" }),
            Plot.dot(shown, {
              x: "step",
              y: "drawn",
              fill: (point: Point) => seriesOfPoint(point).colour,
              symbol: (point: Point) => seriesOfPoint(point).symbol,
              r: 3.5,
            }),
            tip(shown, { x: "step", y: "drawn", title: "note" }),
          ],
        });
      },
    }),
  );
  return (
    <Figure
      id="agreement-curves"
      title={`Agreement with the teacher while ${run.name} trained`}
      alt={`Agreement with the teacher's solution on held-out episodes against training steps. ${describe(points)}`}
      caption={
        <>
          On held-out episodes and equal noises, against the{" "}
          {run.objective === "flow matching" ? "policy's own" : "teacher's"} well-solved flow. Noise explained: 0 is as
          good as ignoring the noise; values below {figure(LOWEST)} are drawn at the edge.
        </>
      }
      legend={legend}
      panels={panels}
      table={{
        columns: ["measure", "Euler steps", "training step", "value"],
        rows: points.map(({ measure, numSteps, step, value }) => [measure, Number(numSteps), step, value]),
      }}
    />
  );
}

function pointsOf({ series }: RunReport): readonly Point[] {
  return Object.entries(series).flatMap(([name, curve]) => {
    const [, measure, numSteps] = /^eval\/(relative_error|noise_explained|spread_ratio)_(\d+)$/.exec(name) ?? [];
    if (measure === undefined) return [];
    return curve.steps.map((step, i): Point => {
      const value = curve.values[i]!;
      return {
        measure,
        numSteps: numSteps!,
        step,
        value,
        drawn: value !== null && measure === "noise_explained" ? Math.max(LOWEST, value) : value,
        note: `step ${step}, ${numSteps} Euler\n${measure.replace("_", " ")} ${figure(value)}`,
      };
    });
  });
}

function describe(points: readonly Point[]): string {
  const last = points.filter(({ measure, numSteps }) => measure === "relative_error" && numSteps === "1").at(-1);
  return last === undefined ? "" : `With one Euler step the relative error ends at ${percent(last.value)}.`;
}

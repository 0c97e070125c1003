import * as Plot from "@observablehq/plot";
import type { LossByTime, RunReport } from "../../src/report/report-data.js";
import { Figure } from "../figure/figure.js";
import { drawPlot, spansOrders, tip } from "../figure/plot.js";
import { figure, stepTick } from "../format.js";

interface Tile {
  readonly bin: string;
  readonly from: number;
  readonly to: number;
  readonly middle: number;
  readonly loss: number;
  readonly note: string;
}

/** Loss by training time over the course of a run, as a heat map. Nothing if it was not recorded. */
export function LossByTimeMap({ run }: { readonly run: RunReport }) {
  const { lossByTime } = run;
  if (lossByTime === undefined) return null;
  const tiles = tilesOf(lossByTime);
  if (tiles.length === 0) return null;
  const losses = tiles.map(({ loss }) => loss);
  const color: Plot.ScaleOptions = {
    scheme: "viridis",
    type: spansOrders(losses) ? "log" : "linear",
    label: "loss",
    domain: [Math.min(...losses), Math.max(...losses)],
  };
  return (
    <Figure
      id="loss-by-time"
      title={`Where in time ${run.name} loses`}
      alt={`Heat map of the loss by training time over the run. ${describe(lossByTime)}`}
      caption="Mean loss of the samples whose training time lies in each bin; time 1 is noise, time 0 is actions. Colours of rows compare only where all times are weighted alike."
      panels={[
        {
          title: "Training time of the samples, against steps",
          draw: (width) =>
            drawPlot({
              width,
              height: 330,
              marginLeft: 66,
              x: { label: "step", tickFormat: stepTick, ticks: width / 90 },
              y: {
                type: "band",
                domain: [...lossByTime.bins].reverse(),
                label: null,
                tickFormat: binLabel,
                padding: 0,
              },
              color,
              marks: [
                Plot.barX(tiles, {
                  x1: "from",
                  x2: "to",
                  y: "bin",
                  fill: "loss",
                  inset: 0,
                  shapeRendering: "crispEdges",
                }),
                tip(tiles, { x: "middle", y: "bin", title: "note" }),
              ],
            }),
        },
      ]}
      ramp={(width) =>
        Plot.legend({
          color,
          width,
          tickFormat: figure,
          ticks: roundValues(losses),
          className: "plot",
          style: { fontSize: "12px", fontFamily: "inherit" },
        }) as Element
      }
      table={{
        columns: ["time", "up to step", "loss"],
        rows: tiles.map(({ bin, to, loss }) => [binLabel(bin), to, loss]),
      }}
    />
  );
}

const binLabel = (bin: string): string => (bin === "1" ? "exactly 1" : bin.replace("-", "–"));

const tilesOf = ({ bins, steps, values }: LossByTime): readonly Tile[] =>
  bins.flatMap((bin, row) =>
    steps.flatMap((to, column) => {
      const loss = values[row]![column]!;
      if (loss === null) return [];
      const from = column === 0 ? 0 : steps[column - 1]!;
      const note = `time ${binLabel(bin)}\nto step ${to}: ${figure(loss)}`;
      return [{ bin, from, to, middle: (from + to) / 2, loss, note }];
    }),
  );

/** 1, 2 and 5 times powers of ten within the range; of a range over many orders the powers alone. */
function roundValues(losses: readonly number[]): readonly number[] {
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  if (!spansOrders(losses)) return [low, (low + high) / 2, high];
  const powers = Array.from({ length: 60 }, (_, i) => 10 ** (i - 40));
  const factors = high / low > 1e4 ? [1] : high / low > 100 ? [1, 3] : [1, 2, 5];
  return powers.flatMap((power) => factors.map((factor) => factor * power)).filter((v) => v >= low && v <= high);
}

function describe({ bins, values }: LossByTime): string {
  const last = bins.flatMap((bin, row) => {
    const loss = values[row]!.at(-1);
    return typeof loss === "number" ? [{ bin, loss }] : [];
  });
  if (last.length === 0) return "";
  const worst = last.reduce((a, b) => (b.loss > a.loss ? b : a));
  return `At the end it is largest at time ${binLabel(worst.bin)}: ${figure(worst.loss)}.`;
}

import * as Plot from "@observablehq/plot";
import type { Series } from "./palette.js";

interface DrawOptions extends Omit<Plot.PlotOptions, "marks"> {
  readonly width: number;
  /** those that are false are left out */
  readonly marks: readonly (Plot.Markish | false)[];
}

/** A drawing with the page's type, margins and grid. */
export function drawPlot({ marks, ...options }: DrawOptions): Element {
  const drawn = Plot.plot({
    height: Math.round(Math.min(340, Math.max(230, options.width * 0.62))),
    marginLeft: 48,
    marginRight: 14,
    marginTop: 14,
    marginBottom: 40,
    className: "plot",
    style: { fontSize: "12px", fontFamily: "inherit", overflow: "visible" },
    ...options,
    marks: marks.filter((mark) => mark !== false),
  });
  drawn.setAttribute("fill", "currentColor");
  return drawn;
}

/** Lines of series: one mark for each way of dashing, as Plot dashes a whole mark. */
export const seriesLines = <Row extends object>(
  rows: readonly Row[],
  seriesOf: (row: Row) => Series,
  options: Omit<Plot.LineYOptions, "z" | "stroke" | "strokeDasharray">,
): readonly Plot.Markish[] =>
  [...new Set(rows.map((row) => seriesOf(row).dash))].map((dash) =>
    Plot.lineY(
      rows.filter((row) => seriesOf(row).dash === dash),
      {
        ...options,
        z: (row: Row) => seriesOf(row).name,
        stroke: (row: Row) => seriesOf(row).colour,
        strokeDasharray: dash,
      },
    ),
  );

/** What a reader sees who points at a mark. */
export const tip = (data: readonly object[], options: Plot.TipOptions & { readonly x: string; readonly y: string }) =>
  Plot.tip(data as Plot.Data, Plot.pointer({ maxRadius: 30, fontSize: 12, ...options }));

/** Whether values are better read on a scale of orders of magnitude. */
export function spansOrders(values: readonly (number | null | undefined)[]): boolean {
  const finite = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  return finite.length > 1 && low > 0 && high / low > 15;
}

import * as Plot from "@observablehq/plot";
import type { FlowShape } from "../../src/compare/comparison.js";
import { Figure } from "../figure/figure.js";
import { type Series, seriesOf } from "../figure/palette.js";
import { drawPlot, seriesLines, tip } from "../figure/plot.js";
import { figure } from "../format.js";

export interface VelocityDeviationsProps {
  readonly id: string;
  /** all of the comparison, in whose order they have their colours */
  readonly policies: readonly string[];
  readonly flows: readonly FlowShape[];
}

/** Where on the way the flows bend. */
export function VelocityDeviations({ id, policies, flows }: VelocityDeviationsProps) {
  const rows = flows.flatMap(({ policy, velocityDeviation }) =>
    velocityDeviation.map((row) => ({
      policy,
      ...row,
      note: `${policy}, time ${figure(row.time)}\nmean ${figure(row.mean)} (10–90 %: ${figure(row.low)} to ${figure(row.high)})`,
    })),
  );
  if (rows.length === 0) return null;
  type Row = (typeof rows)[number];
  const legend = seriesOf(policies).filter(({ name }) => rows.some(({ policy }) => policy === name));
  const seriesOfRow = ({ policy }: Row): Series => legend.find(({ name }) => name === policy)!;
  const colourOf = (row: Row): string => seriesOfRow(row).colour;
  const worst = rows.reduce((a, b) => (b.mean > a.mean ? b : a));
  return (
    <Figure
      id={id}
      title="Where the flows bend"
      alt={`Deviation of the velocity from the straight way against time. It is largest for ${worst.policy} at time ${figure(worst.time)}: ${figure(worst.mean)}.`}
      caption="Squared difference of the velocity from the path's mean velocity, mean over the entries of a chunk: 0 everywhere for a straight flow. Lines are means over paths, bands hold 80 % of them; the scale goes with the square root, so that small deviations are seen beside large ones."
      legend={legend}
      panels={[
        {
          draw: (width, isShown) => {
            const shown = rows.filter(({ policy }) => isShown(policy));
            return drawPlot({
              width,
              x: { label: "time: from noise (1) to actions (0)", domain: [1, 0], ticks: 5, labelArrow: "right" },
              y: { type: "sqrt", label: null, grid: true, ticks: 5, tickFormat: figure },
              marks: [
                Plot.areaY(shown, { x: "time", y1: "low", y2: "high", z: "policy", fill: colourOf, fillOpacity: 0.16 }),
                ...seriesLines(shown, seriesOfRow, { x: "time", y: "mean", strokeWidth: 2 }),
                tip(shown, { x: "time", y: "mean", title: "note" }),
              ],
            });
          },
        },
      ]}
      table={{
        columns: ["policy", "time", "mean", "10 %", "90 %"],
        rows: rows.map(({ policy, time, mean, low, high }) => [policy, time, mean, low, high]),
      }}
    />
  );
}

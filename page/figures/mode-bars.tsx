import * as Plot from "@observablehq/plot";
import { useState } from "preact/hooks";
import type { ClosedLoopRow, Comparison } from "../../src/compare/comparison.js";
import type { Scene } from "../../src/report/report-data.js";
import { Choice } from "../figure/choice.js";
import { Figure } from "../figure/figure.js";
import { seriesOf } from "../figure/palette.js";
import { drawPlot, tip } from "../figure/plot.js";
import { countOf, percent } from "../format.js";

export interface ModeBarsProps {
  readonly id: string;
  readonly comparison: Comparison;
  readonly scene: Scene | undefined;
}

/** How often each way was taken: the teacher as it is deployed beside the others with a chosen number of steps. */
export function ModeBars({ id, comparison, scene }: ModeBarsProps) {
  const { policies, settings, closedLoop } = comparison;
  const counted = (closedLoop?.rows ?? []).filter(({ summary }) => numOf(summary.modes) > 0);
  const teacher = policies[0]!.name;
  const counts = [...new Set(counted.filter(({ policy }) => policy !== teacher).map(({ numSteps }) => numSteps))];
  counts.sort((a, b) => a - b);
  const [chosen, setChosen] = useState<number | undefined>(undefined);
  const numSteps = chosen !== undefined && counts.includes(chosen) ? chosen : counts[0];
  const rows = counted.filter((row) =>
    row.policy === teacher ? row.numSteps === settings.deployedSteps : row.numSteps === numSteps,
  );
  if (rows.length === 0) return null;
  const modes = Object.keys(rows[0]!.summary.modes).filter((mode) => rows.some((row) => row.summary.modes[mode]! > 0));
  const labelOf = (mode: string): string => scene?.modeNames[mode] ?? mode;
  const legend = seriesOf(policies.map(({ name }) => name)).filter(({ name }) =>
    rows.some(({ policy }) => policy === name),
  );
  const bars = modes.flatMap((mode) => rows.map((row) => barOf(row, mode, labelOf(mode))));
  const colourOf = ({ policy }: { readonly policy: string }): string =>
    legend.find(({ name }) => name === policy)!.colour;
  return (
    <Figure
      id={id}
      title="Ways that were taken"
      alt={`Shares of successful episodes by the way they went. ${rows.map((row) => describe(row, modes)).join(" ")}`}
      caption={`Of the successful episodes (${rows.map(({ policy, numSteps: count, summary }) => `${policy} with ${countOf(count, "step")}: n = ${numOf(summary.modes)}`).join("; ")}). Histograms of finite numbers differ by chance; the table of the closed loop says how much.`}
      controls={
        counts.length > 1 && (
          <Choice
            label="Steps of the students"
            options={counts.map(String)}
            value={String(numSteps)}
            onChange={(count) => setChosen(Number(count))}
          />
        )
      }
      legend={legend}
      panels={[
        {
          draw: (width, isShown) => {
            const shown = bars.filter(({ policy }) => isShown(policy));
            const order = legend.map(({ name }) => name).filter(isShown);
            return drawPlot({
              width,
              height: 60 + modes.length * (8 + 9 * Math.max(1, order.length)),
              marginLeft: Math.min(width * 0.4, 12 + 6.6 * Math.max(...modes.map((mode) => labelOf(mode).length))),
              marginTop: 8,
              x: { label: "share of successes", grid: true, tickFormat: percent, ticks: width / 100 },
              fy: { label: null, domain: modes.map(labelOf), padding: 0.18, axis: "left" },
              y: { axis: null, domain: order, padding: 0.05 },
              marks: [
                Plot.barX(shown, { x: "share", y: "policy", fy: "mode", fill: colourOf }),
                Plot.ruleX([0]),
                tip(shown, { x: "share", y: "policy", fy: "mode", title: "note" }),
              ],
            });
          },
        },
      ]}
      table={{
        columns: ["way", "policy", "steps", "episodes", "share"],
        rows: bars.map(({ mode, policy, numSteps: count, number, share }) => [mode, policy, count, number, share]),
      }}
    />
  );
}

const numOf = (modes: Readonly<Record<string, number>>): number => Object.values(modes).reduce((sum, n) => sum + n, 0);

function barOf({ policy, numSteps, summary }: ClosedLoopRow, key: string, mode: string) {
  const [number, total] = [summary.modes[key] ?? 0, numOf(summary.modes)];
  const share = number / total;
  return { policy, numSteps, mode, number, share, note: `${policy}: ${number} of ${total} (${percent(share)})` };
}

function describe({ policy, summary }: ClosedLoopRow, modes: readonly string[]): string {
  const taken = modes.filter((mode) => (summary.modes[mode] ?? 0) > 0).length;
  return `${policy}: ${countOf(taken, "way")} in ${countOf(numOf(summary.modes), "successful episode")}.`;
}

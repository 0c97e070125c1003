import * as Plot from "@observablehq/plot";
import type { Interval, Latency } from "../../src/eval/index.js";
import { Figure } from "../figure/figure.js";
import { type Series, seriesOf } from "../figure/palette.js";
import { drawPlot, seriesLines, spansOrders, tip } from "../figure/plot.js";
import { countOf, figure, percent, percentInterval } from "../format.js";
import { besides, stepsAxis } from "./quality-by-steps.js";

/** One policy with one number of steps in closed loop, of a comparison or an evaluation. */
export interface SuccessRow {
  readonly policy: string;
  readonly numSteps: number | undefined;
  readonly numEpisodes: number;
  readonly success: Interval;
  readonly latency: Latency | undefined;
}

interface SuccessProps {
  readonly id: string;
  readonly environment: string;
  /** all of the section, in whose order they have their colours */
  readonly policies: readonly string[];
  readonly rows: readonly SuccessRow[];
  /** whether episode i is the same in every row */
  readonly isPaired: boolean;
}

interface Placed {
  readonly policy: string;
  readonly series: Series;
  readonly x: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly label: string;
  readonly note: string;
}

const place = (row: SuccessRow, series: Series, x: number): Placed => ({
  policy: row.policy,
  series,
  x,
  ...row.success,
  label: row.numSteps === undefined ? "" : String(row.numSteps),
  note: [
    `${row.policy}${row.numSteps === undefined ? "" : `, ${countOf(row.numSteps, "step")}`}`,
    `success ${percentInterval(row.success)}, n = ${row.numEpisodes}`,
    ...(row.latency ? [`median ${figure(row.latency.total.medianMs)} ms per chunk`] : []),
  ].join("\n"),
});

const marksOf = (shown: readonly Placed[]): Plot.Markish[] => [
  Plot.ruleX(shown, {
    x: "x",
    y1: "low",
    y2: "high",
    stroke: ({ series }: Placed) => series.colour,
    strokeWidth: 1.5,
  }),
  Plot.dot(shown, {
    x: "x",
    y: "value",
    fill: ({ series }: Placed) => series.colour,
    symbol: ({ series }: Placed) => series.symbol,
    r: 5,
  }),
];

const legendOf = (policies: readonly string[], rows: readonly SuccessRow[]): readonly Series[] =>
  seriesOf(policies).filter(({ name }) => rows.some(({ policy }) => policy === name));

const SUCCESS_AXIS: Plot.ScaleOptions = { label: null, domain: [0, 1], tickFormat: percent, grid: true, ticks: 5 };

/** Success rates with their 95 % Wilson intervals against the number of Euler steps. */
export function SuccessBySteps({ id, environment, policies, rows, isPaired }: SuccessProps) {
  const counted = rows.filter((row): row is SuccessRow & { readonly numSteps: number } => row.numSteps !== undefined);
  if (counted.length < 2) return null;
  const legend = legendOf(policies, counted);
  const counts = [...new Set(counted.map(({ numSteps }) => numSteps))].sort((a, b) => a - b);
  const all = counted.map((row) => {
    const i = legend.findIndex(({ name }) => name === row.policy);
    return place(row, legend[i]!, row.numSteps * besides(i, legend.length, counts));
  });
  return (
    <Figure
      id={id}
      title="Success against steps"
      alt={`Success rates in ${environment} against Euler steps. ${all.map(({ note }) => note.replaceAll("\n", ": ")).join(". ")}.`}
      caption={`${environment}, ${episodesOf(rows)}. Whiskers are 95 % Wilson intervals${isPaired ? "; two that overlap may differ all the same, as the episodes are paired: see the table" : ""}.`}
      legend={legend}
      panels={[
        {
          draw: (width, isShown) => {
            const shown = all.filter(({ policy }) => isShown(policy));
            return drawPlot({
              width,
              x: stepsAxis(counts),
              y: SUCCESS_AXIS,
              marks: [
                ...seriesLines(shown, ({ series }) => series, { x: "x", y: "value", strokeOpacity: 0.5 }),
                ...marksOf(shown),
                tip(shown, { x: "x", y: "value", title: "note" }),
              ],
            });
          },
        },
      ]}
      table={{
        columns: ["policy", "steps", "success", "low (95 %)", "high (95 %)", "episodes"],
        rows: counted.map(({ policy, numSteps, success, numEpisodes }) => [
          policy,
          numSteps,
          success.value,
          success.low,
          success.high,
          numEpisodes,
        ]),
      }}
    />
  );
}

/** Success rates against the time that a chunk takes: what is up and left is better. */
export function SuccessByLatency({ id, environment, policies, rows }: Omit<SuccessProps, "isPaired">) {
  const timed = rows.filter((row): row is SuccessRow & { readonly latency: Latency } => row.latency !== undefined);
  if (timed.length < 2) return null;
  const legend = legendOf(policies, timed);
  const all = timed.map((row) =>
    place(row, legend.find(({ name }) => name === row.policy)!, row.latency.total.medianMs),
  );
  const isLog = spansOrders(all.map(({ x }) => x));
  return (
    <Figure
      id={id}
      title="Success against latency"
      alt={`Success rates in ${environment} against the time for a chunk. ${all.map(({ note }) => note.replaceAll("\n", ": ")).join(". ")}.`}
      caption="Median time from the observation to the chunk on the machine that measured it; numbers beside the marks are Euler steps. Up and left is better."
      legend={legend}
      panels={[
        {
          draw: (width, isShown) => {
            const shown = all.filter(({ policy }) => isShown(policy));
            return drawPlot({
              width,
              marginRight: 28,
              x: {
                label: "ms per chunk (median)",
                type: isLog ? "log" : "linear",
                zero: !isLog,
                ticks: width / 90,
                tickFormat: figure,
              },
              y: SUCCESS_AXIS,
              marks: [
                ...marksOf(shown),
                Plot.text(labelled(shown, isLog), { x: "x", y: "value", text: "label", dx: 9, textAnchor: "start" }),
                tip(shown, { x: "x", y: "value", title: "note" }),
              ],
            });
          },
        },
      ]}
      table={{
        columns: ["policy", "steps", "median ms", "95 % of calls below ms", "calls", "success", "episodes"],
        rows: timed.map(({ policy, numSteps, latency, success, numEpisodes }) => [
          policy,
          numSteps ?? null,
          latency.total.medianMs,
          latency.total.p95Ms,
          latency.total.numCalls,
          success.value,
          numEpisodes,
        ]),
      }}
    />
  );
}

/** Marks that need a number: where several with the same one lie as good as on each other, the first. */
function labelled(shown: readonly Placed[], isLog: boolean): readonly Placed[] {
  const across = ({ x }: Placed): number => (isLog ? Math.log(x) : x);
  const xs = shown.map(across);
  const width = Math.max(...xs) - (isLog ? Math.min(...xs) : 0);
  const isNear = (a: Placed, b: Placed): boolean =>
    a.label === b.label && Math.abs(a.value - b.value) < 0.06 && Math.abs(across(a) - across(b)) <= 0.05 * width;
  const kept: Placed[] = [];
  for (const mark of shown) if (!kept.some((other) => isNear(other, mark))) kept.push(mark);
  return kept;
}

function episodesOf(rows: readonly SuccessRow[]): string {
  const counts = rows.map(({ numEpisodes }) => numEpisodes);
  const [low, high] = [Math.min(...counts), Math.max(...counts)];
  return low === high ? `${countOf(low, "episode")} each` : `${low} to ${high} episodes`;
}

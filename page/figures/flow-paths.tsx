import * as Plot from "@observablehq/plot";
import type { FlowShape } from "../../src/compare/comparison.js";
import { Figure, type Panel } from "../figure/figure.js";
import { drawPlot } from "../figure/plot.js";
import { figure } from "../format.js";

/** Blue and orange stay apart for every eye; where modes are two, each gets one. */
const COLOURS = ["#2f86c9", "#8d929a", "#e0700f"];

interface Point {
  readonly noise: number;
  readonly rank: number;
  readonly x: number;
  readonly y: number;
}

/** The ways of the same noises through the flow of each policy, side by side. */
export function FlowPaths({ id, flows }: { readonly id: string; readonly flows: readonly FlowShape[] }) {
  const drawn = flows.filter(({ paths }) => paths.points.length > 0 && paths.times.length > 1);
  if (drawn.length === 0) return null;
  const ranks = ranksByEnd(drawn[0]!);
  const all = drawn.map((flow) => ({ flow, points: pointsOf(flow, ranks) }));
  const xs = all.flatMap(({ points }) => points.map(({ x }) => x));
  const ys = all.flatMap(({ points }) => points.map(({ y }) => y));
  const panels = all.map(({ flow, points }): Panel => {
    const last = flow.paths.times.length - 1;
    const ends = points.filter((_, i) => i % (last + 1) === last);
    const starts = points.filter((_, i) => i % (last + 1) === 0);
    return {
      title: `${flow.policy}${flow.perFlowCost === undefined ? "" : ` (curvature ${figure(flow.perFlowCost)})`}`,
      draw: (width) =>
        drawPlot({
          width,
          height: Math.min(width, 420),
          marginLeft: 38,
          marginTop: 24,
          x: { label: "1st principal component", domain: padded(xs), ticks: 4, tickFormat: figure },
          y: { label: "2nd principal component", domain: padded(ys), ticks: 4, tickFormat: figure },
          color: { type: "linear", range: COLOURS, interpolate: "rgb", domain: [0, 0.5, 1] },
          marks: [
            Plot.line(points, { x: "x", y: "y", z: "noise", stroke: "rank", strokeWidth: 1.3, strokeOpacity: 0.75 }),
            Plot.dot(starts, { x: "x", y: "y", stroke: "rank", r: 2.2, fill: "var(--surface)" }),
            Plot.dot(ends, { x: "x", y: "y", fill: "rank", r: 3 }),
          ],
        }),
    };
  });
  return (
    <Figure
      id={id}
      title="Ways from noise to actions"
      alt={`Paths of ${ranks.length} noises of one observation through the flows of ${drawn.map(({ policy }) => policy).join(", ")}. ${describe(drawn)}`}
      caption="One observation, the same noises in the same colours. Open dots are noise (time 1), filled dots are actions (time 0); both axes are the first principal components of the teacher's samples. A way that is straight and of even speed is followed exactly by one Euler step. Curvature: mean squared deviation from the straight way, over its squared length."
      panels={panels}
      minPanelWidth={290}
      table={{
        columns: ["policy", "noise", "time", "1st component", "2nd component"],
        rows: drawn.flatMap(({ policy, paths }) =>
          paths.points.flatMap((path, noise) =>
            path.map(([x, y], i) => [policy, noise + 1, paths.times[i] ?? null, x, y] as const),
          ),
        ),
      }}
    />
  );
}

/** 0 to 1 for each noise, in the order in which the first policy's actions lie along the first component. */
function ranksByEnd({ paths }: FlowShape): readonly number[] {
  const ends = paths.points.map((path) => path.at(-1)?.[0] ?? 0);
  const sorted = [...ends].sort((a, b) => a - b);
  return ends.map((end) => (ends.length < 2 ? 0 : sorted.indexOf(end) / (ends.length - 1)));
}

const pointsOf = ({ paths }: FlowShape, ranks: readonly number[]): readonly Point[] =>
  paths.points.flatMap((path, noise) => path.map(([x, y]) => ({ noise, rank: ranks[noise] ?? 0, x, y })));

function padded(values: readonly number[]): [number, number] {
  const [low, high] = values.reduce(
    ([a, b], value) => [Math.min(a, value), Math.max(b, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const margin = 0.06 * (high - low) || 1;
  return [low - margin, high + margin];
}

const describe = (flows: readonly FlowShape[]): string =>
  flows
    .map(
      ({ policy, straightness }) => `${policy}: mean squared deviation from the straight way ${figure(straightness)}.`,
    )
    .join(" ");

import * as Plot from "@observablehq/plot";
import type { ClosedLoopRow } from "../../src/compare/comparison.js";
import type { Scene } from "../../src/report/report-data.js";
import { Figure, type Panel } from "../figure/figure.js";
import type { Series } from "../figure/palette.js";
import { drawPlot } from "../figure/plot.js";
import { countOf } from "../format.js";

const LEGEND: readonly Series[] = [
  { name: "success", label: "succeeded", colour: "var(--series-2)", symbol: "circle", dash: "none" },
  { name: "failure", label: "failed", colour: "var(--series-3)", symbol: "cross", dash: "none" },
];

export interface RoutesProps {
  readonly id: string;
  readonly rows: readonly ClosedLoopRow[];
  readonly scene: Scene | undefined;
}

/** The first episodes of each row from above, over the obstacles of the world. */
export function Routes({ id, rows, scene }: RoutesProps) {
  const routed = rows.filter(({ routes }) => routes.some(({ points }) => points.length > 0));
  if (routed.length === 0) return null;
  const frame = scene ?? frameOf(routed);
  const panels = routed.map(
    ({ policy, numSteps, routes }): Panel => ({
      title: `${policy}, ${countOf(numSteps, "step")}`,
      draw: (width, isShown) => {
        const all = routes.flatMap(({ success, points }, route) => points.map(([x, y]) => ({ route, success, x, y })));
        const shown = all.filter(({ success }) => isShown(success ? "success" : "failure"));
        const ends = routes.flatMap(({ success, points }) => (success || points.length === 0 ? [] : [points.at(-1)!]));
        return drawPlot({
          width,
          height: Math.round((width * (frame.y[1] - frame.y[0])) / (frame.x[1] - frame.x[0])),
          marginTop: 0,
          marginRight: 0,
          marginBottom: 0,
          marginLeft: 0,
          x: { domain: frame.x, axis: null },
          y: { domain: frame.y, axis: null },
          marks: [
            Plot.frame({ fill: "var(--ground)", stroke: "var(--line)" }),
            ...(scene ? sceneMarks(scene, width) : []),
            Plot.line(shown, {
              x: "x",
              y: "y",
              z: "route",
              stroke: ({ success }: { readonly success: boolean }) => LEGEND[success ? 0 : 1]!.colour,
              strokeOpacity: 0.55,
              strokeWidth: 1.3,
            }),
            isShown("failure") &&
              Plot.dot(ends, { x: "0", y: "1", symbol: "times", stroke: LEGEND[1]!.colour, r: 4, strokeWidth: 1.8 }),
          ],
        });
      },
    }),
  );
  return (
    <Figure
      id={id}
      title="Routes"
      alt={`Routes from above. ${routed.map(({ policy, numSteps, routes }) => `${policy} with ${countOf(numSteps, "step")}: ${routes.filter(({ success }) => success).length} of the ${routes.length} drawn succeeded.`).join(" ")}`}
      caption={`The first episodes of each row${scene ? "; discs are obstacles, the green line is the finish" : ""}. Episode i has the same start and noises in every panel; failures end in a cross.`}
      legend={LEGEND}
      panels={panels}
      minPanelWidth={140}
      maxColumns={4}
      table={{
        columns: ["policy", "steps", "route", "succeeded", "x", "y"],
        rows: routed.flatMap(({ policy, numSteps, routes }) =>
          routes.flatMap(({ success, points }, i) =>
            points.map(([x, y]) => [policy, numSteps, i + 1, success ? "yes" : "no", x, y] as const),
          ),
        ),
      }}
    />
  );
}

function sceneMarks({ x, obstacles, finishY, start }: Scene, width: number): Plot.Markish[] {
  return [
    Plot.ruleY([finishY], { stroke: "var(--finish)", strokeWidth: 4 }),
    // One call for each, as a radius is a number of pixels.
    ...obstacles.map((obstacle) =>
      Plot.dot([obstacle], {
        x: "x",
        y: "y",
        r: (obstacle.radius / (x[1] - x[0])) * width,
        fill: "var(--obstacle)",
      }),
    ),
    Plot.dot([start], { x: "0", y: "1", r: 3.5, stroke: "var(--text)", fill: "var(--surface)" }),
  ];
}

/** Around all routes of a world that has no picture here. */
function frameOf(rows: readonly ClosedLoopRow[]): Pick<Scene, "x" | "y"> {
  const points = rows.flatMap(({ routes }) => routes.flatMap((route) => route.points));
  const range = (axis: 0 | 1): [number, number] => {
    const values = points.map((point) => point[axis]);
    const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    const margin = 0.05 * (high - low) || 1;
    return [low - margin, high + margin];
  };
  return { x: range(0), y: range(1) };
}

import { formatTick, type LineChart, type Scale, scalesOf, shownRuns } from "./line-chart.js";

const WIDTH = 64;
const HEIGHT = 16;
const MARKS = "abcdefghijklmnopqrstuvwxyz";
/** Where lines of several series meet. */
const SEVERAL = "*";

/**
 * A chart as text: each series a letter, `*` where several meet, ticks of y on the left, ends of x below, a legend at the end.
 * Without a final line break.
 */
export function plotInTerminal(chart: LineChart): string {
  const scales = scalesOf(chart);
  if (scales === undefined) return `${chart.title}: nothing to show`;
  const cells = Array.from({ length: HEIGHT }, () => new Array<string>(WIDTH).fill(" "));
  for (const [i, series] of chart.series.entries()) {
    const mark = MARKS[i % MARKS.length]!;
    for (const run of shownRuns(series, chart)) {
      for (const [column, row] of cellsOf(run, scales.x, scales.y)) {
        const line = cells[row]!;
        line[column] = line[column] === " " || line[column] === mark ? mark : SEVERAL;
      }
    }
  }
  const labels = rowLabels(scales.y);
  const margin = Math.max(...labels.map(({ length }) => length));
  const xs = chart.series.flatMap((series) => shownRuns(series, chart).flat()).map(([x]) => x);
  const ends = [Math.min(...xs), Math.max(...xs)].map(formatTick) as [string, string];
  return [
    `${chart.title} (${chart.y.label}${chart.y.scale === "log" ? ", logarithmic" : ""})`,
    ...cells.map((row, i) => `${labels[i]!.padStart(margin)} |${row.join("")}`.trimEnd()),
    `${" ".repeat(margin)} +${"-".repeat(WIDTH)}`,
    `${" ".repeat(margin + 2)}${ends[0]}${ends[1].padStart(WIDTH - ends[0].length)}`,
    `${" ".repeat(margin + 2)}${chart.x.label}${chart.x.scale === "log" ? ", logarithmic" : ""}; ${chart.series
      .map(({ name }, i) => `${MARKS[i % MARKS.length]} ${name}`)
      .join(", ")}`,
  ].join("\n");
}

const cellOf = (position: number, count: number): number =>
  Math.min(count - 1, Math.max(0, Math.floor(position * count)));

/** The cells that a line of points passes, column and row; points are joined by straight lines on the axes' scales. */
function cellsOf(run: readonly (readonly [number, number])[], x: Scale, y: Scale): [number, number][] {
  const corners = run.map(([px, py]) => [x.position(px), y.position(py)] as const);
  const cells: [number, number][] = [];
  for (const [i, [fromX, fromY]] of corners.entries()) {
    const [toX, toY] = corners[i + 1] ?? [fromX, fromY];
    const numParts = 1 + Math.ceil(2 * Math.max(Math.abs(toX - fromX) * WIDTH, Math.abs(toY - fromY) * HEIGHT));
    for (let part = 0; part <= numParts; part++) {
      const share = part / numParts;
      const [px, py] = [fromX + share * (toX - fromX), fromY + share * (toY - fromY)];
      cells.push([cellOf(px, WIDTH), HEIGHT - 1 - cellOf(py, HEIGHT)]);
    }
  }
  return cells;
}

/** The tick in each row, the upper one where there are two. */
function rowLabels(y: Scale): string[] {
  const labels = new Array<string>(HEIGHT).fill("");
  for (const tick of y.ticks) labels[HEIGHT - 1 - cellOf(y.position(tick), HEIGHT)] = formatTick(tick);
  return labels;
}

import { formatTick, type LineChart, type Scale, scalesOf, shownRuns } from "./line-chart.js";

const PANEL = { width: 560, height: 360 } as const;
const PLOT = { left: 64, top: 36, width: 390, height: 270 } as const;

/** Okabe and Ito's colours, which colour-blind people can tell apart too; then with broken lines. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const DASHES = ["", "6 3", "2 3"];

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const rounded = (value: number): number => Math.round(100 * value) / 100;

const textAt = (x: number, y: number, text: string, attributes = ""): string =>
  `<text x="${rounded(x)}" y="${rounded(y)}"${attributes && ` ${attributes}`}>${escaped(text)}</text>`;

/** Charts side by side as one SVG document, which needs no script, font or style from elsewhere. */
export function chartsToSvg(charts: readonly LineChart[]): string {
  const [width, height] = [PANEL.width * charts.length, PANEL.height];
  const panels = charts.map(
    (chart, i) => `<g transform="translate(${i * PANEL.width} 0)">\n${panel(chart).join("\n")}\n</g>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="11">`,
    `<title>${escaped(charts.map(({ title }) => title).join("; "))}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels,
    "</svg>",
    "",
  ].join("\n");
}

function panel(chart: LineChart): string[] {
  const title = textAt(PLOT.left, PLOT.top - 14, chart.title, 'font-size="14" font-weight="600"');
  const scales = scalesOf(chart);
  if (scales === undefined) return [title, textAt(PLOT.left, PLOT.top + 20, "nothing to show")];
  const { x, y } = scales;
  return [
    title,
    ...verticalGrid(x),
    ...horizontalGrid(y),
    `<rect x="${PLOT.left}" y="${PLOT.top}" width="${PLOT.width}" height="${PLOT.height}" fill="none" stroke="#999999"/>`,
    textAt(PLOT.left + PLOT.width / 2, PLOT.top + PLOT.height + 36, chart.x.label, 'text-anchor="middle"'),
    `<g transform="translate(14 ${PLOT.top + PLOT.height / 2}) rotate(-90)">${textAt(0, 0, chart.y.label, 'text-anchor="middle"')}</g>`,
    ...chart.series.flatMap((_, i) => line(chart, i, x, y)),
  ];
}

const pixelX = (x: Scale, value: number): number => PLOT.left + PLOT.width * x.position(value);
const pixelY = (y: Scale, value: number): number => PLOT.top + PLOT.height * (1 - y.position(value));

const verticalGrid = (x: Scale): string[] =>
  x.ticks.flatMap((tick) => [
    `<path d="M${rounded(pixelX(x, tick))} ${PLOT.top}v${PLOT.height}" stroke="#e5e5e5"/>`,
    textAt(pixelX(x, tick), PLOT.top + PLOT.height + 16, formatTick(tick), 'text-anchor="middle"'),
  ]);

const horizontalGrid = (y: Scale): string[] =>
  y.ticks.flatMap((tick) => [
    `<path d="M${PLOT.left} ${rounded(pixelY(y, tick))}h${PLOT.width}" stroke="#e5e5e5"/>`,
    textAt(PLOT.left - 6, pixelY(y, tick) + 4, formatTick(tick), 'text-anchor="end"'),
  ]);

/** A series and, if it is not the only one, its entry in the legend. */
function line(chart: LineChart, index: number, x: Scale, y: Scale): string[] {
  const series = chart.series[index]!;
  const colour = COLOURS[index % COLOURS.length]!;
  const dash = DASHES[Math.floor(index / COLOURS.length) % DASHES.length]!;
  const stroke = `stroke="${colour}" stroke-width="1.6" stroke-linejoin="round"${dash && ` stroke-dasharray="${dash}"`} fill="none"`;
  const at = ([px, py]: readonly [number, number]): string => `${rounded(pixelX(x, px))} ${rounded(pixelY(y, py))}`;
  const runs = shownRuns(series, chart);
  const paths = runs.map((run) => `<path d="M${run.map(at).join("L")}" ${stroke}/>`);
  const isMarked = (run: readonly unknown[]): boolean => chart.hasMarks === true || run.length === 1;
  const marks = runs
    .filter(isMarked)
    .flat()
    .map((point) => `<circle cx="${at(point).replace(" ", '" cy="')}" r="3" fill="${colour}"/>`);
  if (chart.series.length === 1) return [...paths, ...marks];
  const [legendX, legendY] = [PLOT.left + PLOT.width + 10, PLOT.top + 10 + 16 * index];
  const key = `<path d="M${legendX} ${legendY}h14" ${stroke}/>`;
  return [...paths, ...marks, key, textAt(legendX + 18, legendY + 4, series.name)];
}

import type { Series } from "./palette.js";
import { SYMBOL_PATHS } from "./symbol-paths.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const PADDING = 16;
const LINE = 20;

export interface ComposedFigure {
  readonly title: string;
  readonly legend: readonly Series[];
  readonly panels: readonly { readonly title: string | undefined; readonly svg: SVGSVGElement }[];
  /** panels side by side */
  readonly numColumns: number;
  /** a scale of colours below the panels */
  readonly ramp: SVGSVGElement | undefined;
}

/** One standalone SVG file of a figure: title, legend, panels, in the colours of the present theme. */
export function composeSvg({ title, legend, panels, numColumns, ramp }: ComposedFigure): string {
  const root = element("svg", {});
  const columnWidth = Math.max(...panels.map(({ svg }) => sizeOf(svg).width)) + PADDING;
  const legendWidths = legend.map(({ label }) => 24 + 7.5 * label.length);
  const width = Math.max(
    ...[columnWidth * numColumns + PADDING, 320, 2 * PADDING + 9 * title.length],
    ...legendWidths.map((entry) => entry + 2 * PADDING),
  );
  let y = PADDING + LINE / 2;
  root.append(text(title, PADDING, y, { "font-size": "15", "font-weight": "600" }));
  y += LINE;
  if (legend.length > 1) {
    let x = PADDING;
    for (const [i, { label, colour, symbol }] of legend.entries()) {
      const advance = legendWidths[i]!;
      if (x > PADDING && x + advance > width) {
        x = PADDING;
        y += LINE;
      }
      root.append(
        element("path", { d: SYMBOL_PATHS[symbol], transform: `translate(${x + 6},${y - 3})`, fill: colour }),
      );
      root.append(text(label, x + 17, y + 1, {}));
      x += advance + 12;
    }
    y += LINE;
  }
  for (let first = 0; first < panels.length; first += numColumns) {
    const row = panels.slice(first, first + numColumns);
    const titles = row.map((panel) => linesOf(panel.title ?? "", columnWidth - PADDING));
    const titleHeight = LINE * Math.max(...titles.map((lines) => lines.length));
    for (const [column, panel] of row.entries()) {
      const x = PADDING + column * columnWidth;
      for (const [i, line] of titles[column]!.entries()) {
        root.append(text(line, x, y + 8 + i * LINE, { "font-weight": "600" }));
      }
      root.append(placed(panel.svg, x, y + titleHeight));
    }
    y += titleHeight + Math.max(...row.map(({ svg }) => sizeOf(svg).height)) + PADDING / 2;
  }
  if (ramp) {
    root.append(placed(ramp, PADDING, y));
    y += sizeOf(ramp).height;
  }
  const height = y + PADDING / 2;
  root.prepend(element("rect", { width, height, fill: "var(--surface)" }));
  for (const [name, value] of Object.entries({
    xmlns: NAMESPACE,
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "font-family": "system-ui, sans-serif",
    "font-size": 12,
    fill: "var(--text)",
    color: "var(--text)",
  })) {
    root.setAttribute(name, String(value));
  }
  return withoutVariables(new XMLSerializer().serializeToString(root));
}

/** A text in lines of at most a width, at the size of panels' titles; SVG breaks none by itself. */
function linesOf(content: string, width: number): readonly string[] {
  const most = Math.max(8, Math.floor(width / 7.5));
  return content.match(new RegExp(`\\S.{0,${most - 1}}(?!\\S)|\\S{1,${most}}`, "gu")) ?? [];
}

const sizeOf = (svg: SVGSVGElement): { readonly width: number; readonly height: number } => ({
  width: Number(svg.getAttribute("width")),
  height: Number(svg.getAttribute("height")),
});

function placed(svg: SVGSVGElement, x: number, y: number): SVGSVGElement {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  for (const pointed of copy.querySelectorAll("[aria-label=tip]")) pointed.remove();
  copy.setAttribute("x", String(x));
  copy.setAttribute("y", String(y));
  return copy;
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function text(content: string, x: number, y: number, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = element("text", { x, y, ...attributes });
  made.textContent = content;
  return made;
}

/** Other programs know nothing of the page's variables. */
function withoutVariables(svg: string): string {
  const style = getComputedStyle(document.documentElement);
  return svg.replace(/var\((--[a-z0-9-]+)\)/g, (_, name: string) => {
    const value = style.getPropertyValue(name === "--plot-background" ? "--surface" : name).trim();
    return value === "" ? "currentColor" : value;
  });
}

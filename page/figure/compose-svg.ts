import type { Series } from "./palette.js";

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
  const width = Math.max(columnWidth * numColumns + PADDING, 320);
  let y = PADDING + LINE / 2;
  root.append(text(title, PADDING, y, { "font-size": "15", "font-weight": "600" }));
  y += LINE;
  if (legend.length > 1) {
    let x = PADDING;
    for (const { label, colour } of legend) {
      const advance = 24 + 7.5 * label.length;
      if (x > PADDING && x + advance > width) {
        x = PADDING;
        y += LINE;
      }
      root.append(element("rect", { x, y: y - 9, width: 12, height: 12, rx: 2, fill: colour }));
      root.append(text(label, x + 17, y + 1, {}));
      x += advance + 12;
    }
    y += LINE;
  }
  for (let first = 0; first < panels.length; first += numColumns) {
    const row = panels.slice(first, first + numColumns);
    const titleHeight = row.some((panel) => panel.title !== undefined) ? LINE : 0;
    for (const [column, panel] of row.entries()) {
      const x = PADDING + column * columnWidth;
      if (panel.title !== undefined) root.append(text(panel.title, x, y + 8, { "font-weight": "600" }));
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

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { composeSvg } from "./compose-svg.js";
import { download } from "./download.js";
import { Legend } from "./legend.js";
import type { Series } from "./palette.js";
import { DataTable, type Table, toCsv } from "./table.js";
import { useWidth } from "./use-width.js";

const GAP = 16;

/** One drawing of a figure. */
export interface Panel {
  readonly title?: string;
  /** @param isShown whether a series of the legend is switched on */
  readonly draw: (width: number, isShown: (name: string) => boolean) => Element;
}

export interface FigureProps {
  /** name of its files */
  readonly id: string;
  readonly title: string;
  /** what is drawn, with its units and its traps */
  readonly caption: ComponentChildren;
  /** what it shows, for whoever does not see it */
  readonly alt: string;
  readonly legend?: readonly Series[];
  readonly controls?: ComponentChildren;
  readonly panels: readonly Panel[];
  /** panels are put below each other where they would be narrower */
  readonly minPanelWidth?: number;
  readonly maxColumns?: number;
  /** the scale of colours, where colour is a number */
  readonly ramp?: (width: number) => Element;
  readonly table: Table;
}

/** A figure with its legend, its numbers and its files. */
export function Figure(props: FigureProps) {
  const { id, title, caption, alt, legend = [], controls, panels, minPanelWidth = 280, maxColumns = 3, ramp } = props;
  const [frame, width] = useWidth<HTMLDivElement>();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [isTableOpen, setTableOpen] = useState(false);
  const fitting = Math.max(1, Math.floor((width + GAP) / (minPanelWidth + GAP)));
  const numColumns = Math.min(panels.length, maxColumns, fitting);
  const panelWidth = Math.floor((width - GAP * (numColumns - 1)) / numColumns);
  const drawn = useRef<{ panels: SVGSVGElement[]; ramp: SVGSVGElement | undefined }>({ panels: [], ramp: undefined });
  const isShown = (name: string): boolean => !hidden.has(name);

  useLayoutEffect(() => {
    if (width === 0) return;
    const places = [...frame.current!.querySelectorAll<HTMLElement>("[data-panel]")];
    drawn.current.panels = panels.map(({ draw }, i) => {
      const svg = draw(panelWidth, isShown) as SVGSVGElement;
      svg.setAttribute("aria-hidden", "true"); // the frame around it says what it shows
      places[i]!.replaceChildren(svg);
      return svg;
    });
    const rampPlace = frame.current!.querySelector<HTMLElement>("[data-ramp]");
    drawn.current.ramp = ramp?.(Math.min(320, width)) as SVGSVGElement | undefined;
    if (rampPlace && drawn.current.ramp) rampPlace.replaceChildren(drawn.current.ramp);
  });

  const toggle = (name: string): void => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    setHidden(next);
  };
  const saveSvg = (): void => {
    const titled = drawn.current.panels.map((svg, i) => ({ title: panels[i]!.title, svg }));
    const shown = legend.filter(({ name }) => isShown(name));
    const svg = composeSvg({ title, legend: shown, panels: titled, numColumns, ramp: drawn.current.ramp });
    download(`${id}.svg`, "image/svg+xml", svg);
  };
  return (
    <figure class="figure" id={id} aria-labelledby={`${id}-title`}>
      <div class="figure-head">
        <h4 id={`${id}-title`}>{title}</h4>
        <div class="figure-tools">
          <button
            type="button"
            class="tool"
            aria-expanded={isTableOpen}
            aria-controls={`${id}-table`}
            onClick={() => setTableOpen(!isTableOpen)}
          >
            Data
          </button>
          <button type="button" class="tool" onClick={saveSvg} aria-label={`Save "${title}" as SVG`}>
            SVG
          </button>
          <button
            type="button"
            class="tool"
            onClick={() => download(`${id}.csv`, "text/csv", toCsv(props.table))}
            aria-label={`Save the data of "${title}" as CSV`}
          >
            CSV
          </button>
        </div>
      </div>
      {controls && <div class="controls">{controls}</div>}
      {legend.length > 1 && <Legend series={legend} isShown={isShown} onToggle={toggle} />}
      <div
        ref={frame}
        class="panels"
        role="img"
        aria-label={alt}
        style={{ gridTemplateColumns: `repeat(${numColumns}, minmax(0, 1fr))`, gap: `${GAP}px` }}
      >
        {panels.map((panel, i) => (
          <div key={panel.title ?? String(i)} class="panel">
            {panel.title && <p class="panel-title">{panel.title}</p>}
            <div data-panel />
          </div>
        ))}
        {ramp && <div data-ramp class="ramp" />}
      </div>
      <figcaption>{caption}</figcaption>
      <div id={`${id}-table`} hidden={!isTableOpen}>
        {isTableOpen && <DataTable table={props.table} label={`Data of ${title}`} />}
      </div>
    </figure>
  );
}

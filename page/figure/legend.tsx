import type { Series } from "./palette.js";
import { SYMBOL_PATHS } from "./symbol-paths.js";

export interface LegendProps {
  readonly series: readonly Series[];
  readonly isShown: (name: string) => boolean;
  readonly onToggle: (name: string) => void;
}

/** A legend whose entries switch their series on and off. */
export function Legend({ series, isShown, onToggle }: LegendProps) {
  return (
    <fieldset class="legend">
      <legend class="visually-hidden">Series: switch on and off</legend>
      {series.map(({ name, label, colour, symbol }) => (
        <button key={name} type="button" aria-pressed={isShown(name)} onClick={() => onToggle(name)}>
          <svg viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">
            <path d={SYMBOL_PATHS[symbol]} fill={colour} />
          </svg>
          {label}
        </button>
      ))}
    </fieldset>
  );
}

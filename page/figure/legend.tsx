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
      {series.map(({ name, label, colour, symbol, dash }) => (
        <button key={name} type="button" aria-pressed={isShown(name)} onClick={() => onToggle(name)}>
          <svg viewBox="-14 -7 28 14" width="28" height="14" aria-hidden="true">
            <path d="M-14,0H14" stroke={colour} stroke-width="1.5" stroke-dasharray={dash} />
            <path d={SYMBOL_PATHS[symbol]} fill={colour} />
          </svg>
          {label}
        </button>
      ))}
    </fieldset>
  );
}

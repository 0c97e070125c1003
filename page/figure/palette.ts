/**
 * Colours and symbols of series. The colours are Okabe and Ito's, darker on light ground and lighter on dark; they are CSS
 * variables, so that a change of theme needs no drawing. Neighbours differ in symbol too.
 */
const NUM_COLOURS = 7;

export const seriesColour = (index: number): string => `var(--series-${(index % NUM_COLOURS) + 1})`;

const SYMBOLS = ["circle", "square", "triangle", "diamond", "wye", "star", "cross"] as const;

export const seriesSymbol = (index: number): (typeof SYMBOLS)[number] => SYMBOLS[index % SYMBOLS.length]!;

/** One entry of a legend, by the name that the data uses. */
export interface Series {
  readonly name: string;
  readonly label: string;
  readonly colour: string;
  readonly symbol: (typeof SYMBOLS)[number];
}

/** Series in the order of their names. */
export const seriesOf = (
  names: readonly string[],
  label: (name: string) => string = (name) => name,
): readonly Series[] =>
  names.map((name, i) => ({ name, label: label(name), colour: seriesColour(i), symbol: seriesSymbol(i) }));

/**
 * Colours, symbols and dashes of series. The colours are Okabe and Ito's, darker on light ground and lighter on dark; they are CSS
 * variables, so that a change of theme needs no drawing. Neighbours differ in symbol too; where colours begin again, symbols go on
 * and lines are dashed.
 */
const NUM_COLOURS = 7;

export const seriesColour = (index: number): string => `var(--series-${(index % NUM_COLOURS) + 1})`;

const SYMBOLS = ["circle", "square", "triangle", "diamond", "wye", "star", "cross"] as const;

export const seriesSymbol = (index: number): (typeof SYMBOLS)[number] =>
  SYMBOLS[(index + Math.floor(index / NUM_COLOURS)) % SYMBOLS.length]!;

const DASHES = ["none", "7,3", "2,3", "9,3,2,3"] as const;

export const seriesDash = (index: number): string => DASHES[Math.floor(index / NUM_COLOURS) % DASHES.length]!;

/** One entry of a legend, by the name that the data uses. */
export interface Series {
  readonly name: string;
  readonly label: string;
  readonly colour: string;
  readonly symbol: (typeof SYMBOLS)[number];
  /** of its lines, as SVG has it */
  readonly dash: string;
}

/** Series in the order of their names. */
export const seriesOf = (
  names: readonly string[],
  label: (name: string) => string = (name) => name,
): readonly Series[] =>
  names.map((name, i) => ({
    ...{ name, label: label(name), colour: seriesColour(i) },
    ...{ symbol: seriesSymbol(i), dash: seriesDash(i) },
  }));

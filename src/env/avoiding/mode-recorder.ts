/**
 * The way of an episode past the obstacles: a word of nine characters 0 and 1. Two belong to level 1 (passed left or right),
 * three to level 2 and four to level 3, from left to right; one of each level is 1 once the level is passed.
 */

/** where the bits of each level begin and how many there are */
const LEVELS = [
  { first: 0, count: 2 },
  { first: 2, count: 3 },
  { first: 5, count: 4 },
] as const;
const NUM_BITS = 9;

/** a rod this near to the y of level 1 or 2 is passing it; level 3 is passed from its centres on */
const BAND = 0.03;

const wordOf = (bits: readonly (number | undefined)[]): string =>
  Array.from({ length: NUM_BITS }, (_, i) => (bits.includes(i) ? "1" : "0")).join("");

const bitsOf = ({ first, count }: (typeof LEVELS)[number]): number[] =>
  Array.from({ length: count }, (_, i) => first + i);

/** All 24 words of whole ways: 2 * 3 * 4. */
export const AVOIDING_MODES: readonly string[] = bitsOf(LEVELS[0]).flatMap((a) =>
  bitsOf(LEVELS[1]).flatMap((b) => bitsOf(LEVELS[2]).map((c) => wordOf([a, b, c]))),
);

/** Where a whole way passes each level, counted from the left and from 0; undefined for any other word */
export function gapsOfMode(mode: string): readonly [number, number, number] | undefined {
  const index = AVOIDING_MODES.indexOf(mode);
  return index < 0 ? undefined : [Math.floor(index / 12), Math.floor(index / 4) % 3, index % 4];
}

const level1Bit = (x: number): number | undefined => (x < 0.5 ? 0 : x > 0.5 ? 1 : undefined);

function level2Bit(x: number): number | undefined {
  if (x < 0.425) return 2;
  if (x > 0.575) return 4;
  return x > 0.425 && x < 0.575 ? 3 : undefined;
}

const level3Bit = (x: number): number => (x < 0.35 ? 5 : x < 0.5 ? 6 : x < 0.65 ? 7 : 8);

/**
 * Watches the rod and notes on which side it passes each level: the first time it is there, once and for all. It looks at
 * places, not at the way between them, so a rod that leaps over a level's band leaves that level undecided.
 */
export class ModeRecorder {
  #level1: number | undefined;
  #level2: number | undefined;
  #level3: number | undefined;

  visit(x: number, y: number): void {
    if (Math.abs(y + 0.1) <= BAND) this.#level1 ??= level1Bit(x);
    if (Math.abs(y - 0.08) <= BAND) this.#level2 ??= level2Bit(x);
    if (y >= 0.26) this.#level3 ??= level3Bit(x);
  }

  /** so far; one of `AVOIDING_MODES` once all levels are decided */
  get word(): string {
    return wordOf([this.#level1, this.#level2, this.#level3]);
  }
}

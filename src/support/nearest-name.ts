import { closest, distance } from "fastest-levenshtein";

/**
 * The candidate most like a misspelt name, or undefined if none is near enough to be what was meant
 * (more than a third of its letters, at least two, would have to change).
 */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const best = closest(name, candidates);
  return distance(name, best) <= Math.max(2, Math.floor(best.length / 3)) ? best : undefined;
}

/** `. Did you mean "x"?` for the nearest candidate, or an empty string. */
export function didYouMean(name: string, candidates: readonly string[]): string {
  const best = nearestName(name, candidates);
  return best === undefined ? "" : `. Did you mean "${best}"?`;
}

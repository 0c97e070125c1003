import type { Tone } from "./report-data.js";

/** A sentence, before it is said what it is about. */
export type Said = readonly [Tone, string];

/** Verdicts and warnings first, the worst of them first, then what else a reader should know. */
const ORDER: readonly Tone[] = ["broken", "warning", "open", "kept", "note"];

export const byTone = ([a]: Said, [b]: Said): number => ORDER.indexOf(a) - ORDER.indexOf(b);

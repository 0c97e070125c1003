/**
 * The parts of the network in which its parameters are counted, in the order of a checkpoint. `lm_head` is never computed
 * with.
 */
export const NETWORK_PARTS = ["vision", "connector", "text", "lm_head", "expert", "projections"] as const;
export type NetworkPart = (typeof NETWORK_PARTS)[number];

const PATTERNS: readonly (readonly [prefix: string, part: NetworkPart])[] = [
  ["vlm.vision.", "vision"],
  ["vlm.connector.", "connector"],
  ["vlm.unusedHead.", "lm_head"],
  ["vlm.", "text"],
  ["expert.layers.", "expert"],
  ["expert.finalNorm.", "expert"],
  ["expert.", "projections"],
];

/** The part that a parameter belongs to, by our own field path. */
export function networkPart(name: string): NetworkPart {
  const found = PATTERNS.find(([prefix]) => name.startsWith(prefix));
  if (found === undefined) throw new Error(`internal: no part of the network for parameter ${name}`);
  return found[1];
}

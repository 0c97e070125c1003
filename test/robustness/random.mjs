/** Numbers at random that a seed gives again: mulberry32, seeded with a hash of all labels. */

/** @param {string} text @returns {number} FNV-1a, 32 bits */
function hash(text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** @param {readonly (string | number)[]} labels */
export function randomOf(...labels) {
  let state = hash(labels.join("/"));
  /** @returns {number} in [0, 1) */
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  /** @param {number} n @returns {number} a whole number below n */
  const below = (n) => Math.floor(fraction() * n);
  return {
    fraction,
    below,
    /** @template T @param {readonly T[]} list @returns {T} */
    pick: (list) => list[below(list.length)],
  };
}

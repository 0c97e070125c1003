/** Fresh states of the MT19937 generators that Python and NumPy keep, for checkpoints that LeRobot resumes from. */

const SIZE = 624;
/** where both generators stand right after seeding: all words are used up, so the next draw makes new ones */
const EXHAUSTED = SIZE;

/** Matsumoto and Nishimura's `init_genrand`. */
function initialState(seed: number): Uint32Array {
  const state = new Uint32Array(SIZE);
  state[0] = seed >>> 0;
  for (let i = 1; i < SIZE; i++) {
    const previous = state[i - 1]!;
    state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
  }
  return state;
}

/** Their `init_by_array`. */
function stateFromKey(key: readonly number[]): Uint32Array {
  const state = initialState(19650218);
  let [i, j] = [1, 0];
  const advance = (): void => {
    i += 1;
    if (i >= SIZE) {
      state[0] = state[SIZE - 1]!;
      i = 1;
    }
  };
  for (let k = Math.max(SIZE, key.length); k > 0; k--) {
    const previous = state[i - 1]!;
    state[i] = (state[i]! ^ Math.imul(previous ^ (previous >>> 30), 1664525)) + key[j]! + j;
    advance();
    j = (j + 1) % key.length;
  }
  for (let k = SIZE - 1; k > 0; k--) {
    const previous = state[i - 1]!;
    state[i] = (state[i]! ^ Math.imul(previous ^ (previous >>> 30), 1566083941)) - i;
    advance();
  }
  state[0] = 0x80000000;
  return state;
}

/** What Python's `random.getstate()[1]` is after `random.seed(seed)`: 624 words and the position. */
export function pythonState(seed: number): number[] {
  const magnitude = Math.abs(seed);
  const high = Math.floor(magnitude / 2 ** 32);
  const key = high > 0 ? [magnitude % 2 ** 32, high] : [magnitude];
  return [...stateFromKey(key), EXHAUSTED];
}

/** What NumPy's `random.get_state()` is after `random.seed(seed)`: 624 words and the position. */
export const numpyState = (seed: number): number[] => [...initialState(seed), EXHAUSTED];

import { deriveSeed } from "../../support/derive-seed.js";
import { disposeAll, Generator, keep, scope } from "../../torch/index.js";
import type { Coupling, Pairs } from "./coupling.js";

/**
 * Keeps the pairs of recent batches, for batches that come again (see `batchNumber`): making a pair costs a whole solve of
 * the teacher, using it again costs one evaluation of the student.
 *
 * The pairs of a batch depend on the seed and its number alone, not on the step, so a run that continues makes the ones
 * that it lost anew.
 *
 * @param capacity pairs of how many batches are kept
 */
export function buffered(inner: Coupling, capacity: number, seed: number): Coupling {
  const kept = new Map<number, Pairs>();
  return {
    numNoises: inner.numNoises,
    couple: (batch, context) => {
      const known = kept.get(batch.number);
      if (known !== undefined) return known;
      const made = scope(() => {
        using generator = new Generator(deriveSeed(seed, "pairs", batch.number));
        return keep(inner.couple(batch, context, generator));
      });
      kept.set(batch.number, made);
      for (const [number, old] of kept) {
        if (kept.size <= capacity) break;
        kept.delete(number);
        disposeAll(old);
      }
      return made;
    },
    dispose: () => {
      disposeAll([...kept.values()]);
      kept.clear();
      inner.dispose();
    },
  };
}

import { cat, empty, type Generator, scope, tensor, toDevice, uniform_ } from "../../torch/index.js";
import { frameNumbers } from "../pairs/frame-numbers.js";
import type { PairSet } from "../pairs/pair-set.js";
import type { Coupling } from "./coupling.js";

export interface StoredOptions {
  readonly pairs: PairSet;
  /** those of the run, among which the farthest pairs are looked for */
  readonly frames: readonly number[];
  /** N, pairs of each observation that a batch takes, at most as many as are stored */
  readonly numNoises: number;
  /** share of the pairs of each task that is left out, those with the largest distance among all of the run's frames */
  readonly truncateShare: number;
  readonly device: string;
}

/** Pairs that were made before: of each observation's K stored pairs a batch takes N different ones, drawn anew each time. */
export function stored({ pairs, frames: all, numNoises, truncateShare, device }: StoredOptions): Coupling {
  const { numNoises: numStored } = pairs.manifest;
  const kept = truncateShare > 0 ? pairs.truncation(truncateShare, all) : undefined;
  return {
    numNoises,
    couple: (batch, _context, generator) => {
      const frames = frameNumbers(batch.arrays);
      const picks = frames.map(() => drawPicks(numStored, numNoises, generator));
      return scope(() => {
        const found = frames.map((frame, i) => pairs.pairs(frame, picks[i]!));
        const together = (part: "noise" | "actions") =>
          toDevice(
            cat(
              found.map((pair) => pair[part]),
              0,
            ),
            device,
          );
        const weights = kept && frames.flatMap((frame, i) => picks[i]!.map((pick) => kept.get(frame)![pick]!));
        return {
          noise: together("noise"),
          actions: together("actions"),
          ...(weights ? { weights: toDevice(tensor(weights), device) } : {}),
        };
      });
    },
    dispose: () => pairs.dispose(),
  };
}

/** `count` different numbers below `total`, in a random order. */
function drawPicks(total: number, count: number, generator: Generator): readonly number[] {
  const keys = scope(() => uniform_(empty([total], "float64"), 0, 1, generator).toNumbers());
  return keys
    .map((key, pick) => ({ key, pick }))
    .sort((a, b) => a.key - b.key)
    .slice(0, count)
    .map(({ pick }) => pick);
}

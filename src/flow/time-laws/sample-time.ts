import { empty, type Generator, scope, type Tensor, tensor, uniform_ } from "../../torch/index.js";
import type { TimeLaw } from "./time-law.js";
import { type TimeMixture, withAtoms } from "./with-atoms.js";

/**
 * Draws one time per sample, on the CPU. Every sample takes two uniform numbers, whatever is asked for: one says whether
 * and to which atom it goes, the other its time under the law. So the share changes only the samples that it moves.
 *
 * @param shareAtNoise of a law alone: share of samples put at time 1 exactly, as `withAtoms(law, [1], share)` does
 * @returns float32 `[B]`, in [0, 1]
 * @throws ConfigError for a share out of [0, 1]
 */
export function sampleTime(mixture: TimeMixture, batchSize: number, generator: Generator): Tensor;
export function sampleTime(law: TimeLaw, batchSize: number, generator: Generator, shareAtNoise?: number): Tensor;
export function sampleTime(
  given: TimeLaw | TimeMixture,
  batchSize: number,
  generator: Generator,
  shareAtNoise = 0,
): Tensor {
  const mixture = "atoms" in given ? given : withAtoms(given, [1], shareAtNoise);
  const draws = scope(() => uniform_(empty([batchSize, 2], "float64"), 0, 1, generator).toNumbers());
  return tensor(Array.from({ length: batchSize }, (_, i) => timeOf(mixture, draws[2 * i]!, draws[2 * i + 1]!)));
}

function timeOf({ law, atoms, shareAtAtoms }: TimeMixture, pick: number, u: number): number {
  if (pick >= shareAtAtoms) return law.quantile(u);
  return atoms[Math.min(atoms.length - 1, Math.floor((pick / shareAtAtoms) * atoms.length))]!;
}

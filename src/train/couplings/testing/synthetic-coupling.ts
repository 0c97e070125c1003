/** A coupling without a policy: noise that is drawn, and actions that are twice the noise. */
import { sampleNoise } from "../../../flow/index.js";
import { mulScalar } from "../../../torch/index.js";
import type { TrainingBatch } from "../../objectives/objective.js";
import type { Coupling } from "../coupling.js";

export interface SyntheticCoupling extends Coupling {
  /** numbers of the batches that pairs were made for, in turn */
  readonly made: readonly number[];
  readonly isDisposed: boolean;
}

export function syntheticCoupling(numNoises: number): SyntheticCoupling {
  const made: number[] = [];
  let isDisposed = false;
  return {
    numNoises,
    made,
    get isDisposed() {
      return isDisposed;
    },
    couple: ({ tasks, number }, _context, generator) => {
      made.push(number);
      const noise = sampleNoise([tasks.length * numNoises, 4, 3], generator);
      return { noise, actions: mulScalar(noise, 2) };
    },
    dispose: () => {
      isDisposed = true;
    },
  };
}

/** A batch of which nothing but its place and its tasks is known. */
export const syntheticBatch = (
  number: number,
  step = number,
  tasks: readonly string[] = ["a", "b"],
): TrainingBatch => ({
  input: undefined as never,
  arrays: {},
  tasks,
  number,
  step,
});

import { pairDistance, truncateFar } from "../../flow/index.js";
import { mul, tensor, toDevice } from "../../torch/index.js";
import type { Coupling } from "./coupling.js";
import { shareOf } from "./share-of.js";

/**
 * Leaves out the pairs of a batch whose noise and actions lie farthest apart, the same share of each task's: the flow is
 * asked to bend most for them.
 *
 * @param share of the pairs of each task, rounded down: a batch with few pairs of a task loses none of them. The figure
 * `pairs/truncated` says which share it was
 * @param numReal dimensions that count for the distance
 *
 * Reference: arXiv:2511.23342 (Re-MeanFlow), which leaves out a tenth of all.
 */
export function truncated(inner: Coupling, share: number, numReal: number): Coupling {
  return {
    numNoises: inner.numNoises,
    couple: (batch, context, generator) => {
      const pairs = inner.couple(batch, context, generator);
      const groups = batch.tasks.flatMap((task) => Array<string>(inner.numNoises).fill(task));
      const distances = pairDistance(pairs.noise, pairs.actions, numReal).toNumbers();
      const isKept = truncateFar(distances, groups, share);
      const kept = toDevice(tensor(isKept), pairs.noise.device);
      return {
        ...pairs,
        weights: pairs.weights === undefined ? kept : mul(pairs.weights, kept),
        figures: [
          ...(pairs.figures ?? []),
          shareOf(
            "truncated",
            isKept.map((weight) => 1 - weight),
          ),
        ],
      };
    },
    dispose: () => inner.dispose(),
  };
}

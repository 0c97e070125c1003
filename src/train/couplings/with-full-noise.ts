import { CheckpointError } from "../../support/errors.js";
import { abs, scope, sumOver } from "../../torch/index.js";
import type { Coupling, Pairs } from "./coupling.js";

/**
 * Refuses pairs whose first batch has no noise in some action dimensions. A policy is asked with noise in all of them: one
 * that learns from zeros beyond the robot's dimensions never learns what to do with noise there, and is thrown off by it when
 * it is deployed, however small its loss.
 *
 * Fresh pairs cannot have that fault; stored ones that something else has written can.
 */
export function withFullNoise(inner: Coupling): Coupling {
  let isChecked = false;
  return {
    numNoises: inner.numNoises,
    couple: (batch, context, generator) => {
      const pairs = inner.couple(batch, context, generator);
      if (!isChecked) expectFullNoise(pairs);
      isChecked = true;
      return pairs;
    },
    dispose: () => inner.dispose(),
  };
}

/** @throws CheckpointError naming the action dimensions in which every noise of a batch is 0 */
function expectFullNoise({ noise }: Pairs): void {
  const sizes = scope(() => sumOver(abs(noise), [0, 1]).toNumbers());
  const empty = sizes.flatMap((size, dim) => (size === 0 ? [dim] : []));
  if (empty.length === 0) return;
  throw new CheckpointError(
    `step-0 gate: expected noise in all ${sizes.length} action dimensions, got zeros alone in ${empty.length} of them ` +
      `(${empty.join(", ")}). A policy is deployed with noise in its padded dimensions too. Draw it in the full width, and ` +
      "make stored pairs anew with `reflow pairs`",
  );
}

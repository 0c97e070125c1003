import { CheckpointError } from "../../support/errors.js";
import { abs, max, scope, sub, sumOver } from "../../torch/index.js";
import type { Coupling, Pairs } from "./coupling.js";

/**
 * Refuses generated pairs whose first batch cannot be what a teacher made of noise:
 *
 * - no noise in some action dimensions. A policy is asked with noise in all of them: one that learns from zeros beyond the
 *   robot's dimensions never learns what to do with noise there, and is thrown off by it when it is deployed, however small
 *   its loss;
 * - noise that is its own actions, as after a solver that writes into what it was given: the velocity to be learnt is 0;
 * - steps marked as padding. A generated chunk has none: a demonstration's mask hides what the teacher said;
 * - another type than float32, whose rounding the student would learn.
 *
 * Fresh pairs cannot have these faults; stored ones that something else has written can.
 */
export function withCheckedPairs(inner: Coupling): Coupling {
  let isChecked = false;
  return {
    numNoises: inner.numNoises,
    couple: (batch, context, generator) => {
      const pairs = inner.couple(batch, context, generator);
      if (!isChecked) for (const expect of EXPECTATIONS) expect(pairs);
      isChecked = true;
      return pairs;
    },
    dispose: () => inner.dispose(),
  };
}

const EXPECTATIONS: readonly ((pairs: Pairs) => void)[] = [
  expectFloat32,
  expectFullNoise,
  expectOtherActions,
  expectNoPadding,
];

/** @throws CheckpointError naming what has another type */
function expectFloat32({ noise, actions }: Pairs): void {
  for (const [name, { dtype }] of Object.entries({ noise, actions })) {
    if (dtype === "float32") continue;
    throw new CheckpointError(
      `step-0 gate: expected ${name} of pairs in float32, got ${dtype}. Solve the teacher's flow in float32, whatever the ` +
        "network computes in",
    );
  }
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

/** @throws CheckpointError if noise and actions of a batch are the same numbers */
function expectOtherActions({ noise, actions }: Pairs): void {
  if (scope(() => max(abs(sub(noise, actions))).item()) !== 0) return;
  throw new CheckpointError(
    "step-0 gate: expected actions that a solver made of their noise, got the noise itself: the velocity to be learnt is 0. The " +
      "solver has overwritten the noise with its result; integrate out of place, and make stored pairs anew with `reflow pairs`",
  );
}

/** @throws CheckpointError if a generated chunk has a mask */
function expectNoPadding({ isPad }: Pairs): void {
  if (isPad === undefined) return;
  throw new CheckpointError(
    "step-0 gate: expected generated chunks without a padding mask, got one. The mask of a demonstration says where the " +
      "episode ended; a teacher's chunk is whole",
  );
}

import { native } from "./native.js";
import { Tensor } from "./tensor.js";

/** Runs `body` without recording operations for gradients. Nests; must be synchronous. */
export function noGrad<T>(body: () => T): T {
  const before = native.setGradEnabled(false);
  try {
    return body();
  } finally {
    native.setGradEnabled(before);
  }
}

/** Runs `body` with recording switched on, also inside `noGrad`. */
export function enableGrad<T>(body: () => T): T {
  const before = native.setGradEnabled(true);
  try {
    return body();
  } finally {
    native.setGradEnabled(before);
  }
}

/**
 * Runs `body` in libtorch's inference mode: no recording and no version counting. Its tensors can never take part in a
 * later gradient computation; where they might, use `noGrad`.
 */
export function inference<T>(body: () => T): T {
  native.enterInference();
  try {
    return body();
  } finally {
    native.leaveInference();
  }
}

/** Adds d(output)/d(leaf) to the `grad` of every leaf that requires one. The output is a scalar unless `gradient` is given. */
export function backward(output: Tensor, options: { gradient?: Tensor; retainGraph?: boolean } = {}): void {
  native.backward(
    [output.handle],
    options.gradient === undefined ? null : [options.gradient.handle],
    options.retainGraph ?? false,
  );
}

/** d(output)/d(input) for each input, without touching any leaf; undefined for an input the output does not use. */
export function grad(
  output: Tensor,
  inputs: readonly Tensor[],
  options: { gradient?: Tensor; retainGraph?: boolean; createGraph?: boolean } = {},
): (Tensor | undefined)[] {
  const createGraph = options.createGraph ?? false;
  return native
    .grad(
      [output.handle],
      inputs.map((input) => input.handle),
      options.gradient === undefined ? null : [options.gradient.handle],
      options.retainGraph ?? createGraph,
      createGraph,
    )
    .map((handle) => (handle === null ? undefined : new Tensor(handle)));
}

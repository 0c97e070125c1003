import { called, native } from "./native.js";
import { expectSynchronous } from "./scope.js";
import { Tensor } from "./tensor.js";

/** Known here, not asked for, because every switch goes through this module. */
let isRecording = true;

/** Whether operations on tensors that require gradients are being recorded. */
export const isGradEnabled = (): boolean => isRecording;

function withRecording<T>(where: string, isOn: boolean, body: () => T): T {
  const before = isRecording;
  native.setGradEnabled(isOn);
  isRecording = isOn;
  try {
    return expectSynchronous(where, body());
  } finally {
    native.setGradEnabled(before);
    isRecording = before;
  }
}

/** Runs `body` without recording operations for gradients. Nests. @throws TypeError if `body` returns a promise */
export const noGrad = <T>(body: () => T): T => withRecording("torch.noGrad", false, body);

/** Runs `body` with recording switched on, also inside `noGrad`. */
export const enableGrad = <T>(body: () => T): T => withRecording("torch.enableGrad", true, body);

/**
 * Runs `body` in libtorch's inference mode: no recording and no version counting. Its tensors can never take part in a
 * later gradient computation; where they might, use `noGrad`.
 */
export function inference<T>(body: () => T): T {
  native.enterInference();
  try {
    return withRecording("torch.inference", false, body);
  } finally {
    native.leaveInference();
  }
}

/** Adds d(output)/d(leaf) to the `grad` of every leaf that requires one. The output is a scalar unless `gradient` is given. */
export function backward(output: Tensor, options: { gradient?: Tensor; retainGraph?: boolean } = {}): void {
  called("backward", () =>
    native.backward(
      [output.handle],
      options.gradient === undefined ? null : [options.gradient.handle],
      options.retainGraph ?? false,
    ),
  );
}

/** d(output)/d(input) for each input, without touching any leaf; undefined for an input the output does not use. */
export function grad(
  output: Tensor,
  inputs: readonly Tensor[],
  options: { gradient?: Tensor; retainGraph?: boolean; createGraph?: boolean } = {},
): (Tensor | undefined)[] {
  if (inputs.length === 0) return [];
  const createGraph = options.createGraph ?? false;
  const handles = called("grad", () =>
    native.grad(
      [output.handle],
      inputs.map((input) => input.handle),
      options.gradient === undefined ? null : [options.gradient.handle],
      options.retainGraph ?? createGraph,
      createGraph,
    ),
  );
  return handles.map((handle) => (handle === null ? undefined : new Tensor(handle)));
}

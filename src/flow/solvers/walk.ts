import { scope, type Tensor } from "../../torch/index.js";

/** Makes each point from the one before it and frees that one; the start is the caller's, and is never written to. */
export function walk<T>(start: Tensor, steps: Iterable<T>, advance: (x: Tensor, step: T) => Tensor): Tensor {
  let x = start;
  for (const step of steps) {
    const current = x;
    try {
      x = scope(() => advance(current, step));
    } finally {
      if (current !== start) current.dispose();
    }
  }
  return x;
}

import { enableGrad, grad, isGradEnabled, noGrad } from "./autograd.js";
import { called, type Handle, native } from "./native.js";
import { detach } from "./ops/create.js";
import { scope } from "./scope.js";
import { Tensor } from "./tensor.js";

/**
 * `body(...inputs)` with its gradients, keeping nothing of what happens inside: a backward pass runs `body` a second time
 * when it gets there. Memory falls to the inputs and the result; the price is that second run ("gradient checkpointing").
 *
 * `body` must compute the same both times. Outside a recording it is just called. Second derivatives cannot be taken.
 *
 * @param body gives one tensor, made from its arguments, `parameters` and things without gradients
 * @param inputs must not be changed in place before the backward pass
 * @param parameters leaves used in `body` that may need gradients
 * @throws TorchError in the backward pass, if an input or parameter was changed in the meantime
 *
 * Reference: Chen et al. 2016, arXiv:1604.06174.
 */
export function recompute(
  body: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  parameters: readonly Tensor[],
): Tensor {
  const given = [...inputs, ...parameters];
  const needsGradient = given.map((tensor) => tensor.requiresGrad);
  if (!isGradEnabled() || !needsGradient.includes(true)) return scope(() => body(...inputs));

  const gradientsOf = (gradient: Tensor, saved: readonly Tensor[]): (Tensor | undefined)[] => {
    const leaves = saved.map((tensor, i) => {
      if (i >= inputs.length || !needsGradient[i]) return tensor;
      const leaf = detach(tensor);
      leaf.requiresGrad = true;
      return leaf;
    });
    const result = enableGrad(() => scope(() => body(...leaves.slice(0, inputs.length))));
    if (!result.requiresGrad) return needsGradient.map(() => undefined);
    const gradients = grad(
      result,
      leaves.filter((_, i) => needsGradient[i]),
      { gradient },
    );
    return needsGradient.map((isNeeded) => (isNeeded ? gradients.shift() : undefined));
  };
  const backward = (gradient: Handle, saved: readonly Handle[]): (Handle | null)[] =>
    scope(() => {
      const gradients = gradientsOf(
        new Tensor(gradient),
        saved.map((handle) => new Tensor(handle)),
      );
      return gradients.map((tensor) => tensor?.release() ?? null);
    });
  return scope(() => {
    const result = noGrad(() => scope(() => body(...inputs)));
    return new Tensor(
      called("recompute", () =>
        native.recompute(
          result.handle,
          given.map(({ handle }) => handle),
          backward,
        ),
      ),
    );
  });
}

import type { Tensor } from "../torch/index.js";

/** How a parameter starts when nothing is loaded into it. */
export type InitialLaw =
  | { readonly kind: "normal"; readonly std: number }
  /** on (-bound, bound) */
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "constant"; readonly value: number };

/**
 * Where a module gets its parameters while it is being built: a file, a copy of another module, random draws, or the
 * meta device (shapes only). Names are dotted paths of our own field names.
 */
export type ParameterSource = (name: string, shape: readonly number[], law: InitialLaw) => Tensor;

/** The source as seen from a submodule. */
export const within =
  (source: ParameterSource, prefix: string | number): ParameterSource =>
  (name, shape, law) =>
    source(`${prefix}.${name}`, shape, law);

/** PyTorch's default for a linear layer: uniform within 1/sqrt(inputs), weight and bias alike. */
export const linearDefault = (numInputs: number): InitialLaw => ({ kind: "uniform", bound: 1 / Math.sqrt(numInputs) });

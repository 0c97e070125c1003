import { embedding, type Tensor } from "../torch/index.js";
import { Module } from "./module.js";
import type { InitialLaw, ParameterSource } from "./parameter-source.js";

/** A table of vectors looked up by index. */
export class Embedding extends Module {
  /** `[numEntries, D]` */
  readonly weight: Tensor;

  constructor(source: ParameterSource, numEntries: number, width: number, law: InitialLaw) {
    super();
    this.weight = source("weight", [numEntries, width], law);
  }

  /** `int64[...]` -> `[..., D]` */
  forward(indices: Tensor): Tensor {
    return embedding(this.weight, indices);
  }
}

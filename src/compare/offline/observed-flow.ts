import type { VelocityField } from "../../flow/index.js";
import type { HostArray } from "../../support/host-array.js";
import type { Tensor } from "../../torch/index.js";

/**
 * A policy's flow over a list of observations, as measures see it: a velocity field for some of them at a time.
 *
 * Letters: `A` action steps, `M` action dimensions, padded.
 */
export interface ObservedFlow {
  /** of the noises that its field takes */
  readonly device: string;
  /**
   * Lends the field of observations `from` to `to` (not included), each of which stands `numNoises` times in a row, and
   * their demonstrated actions `[to - from, A, M]`, normalised, padded with zeros. Both are good while `use` runs.
   */
  lend<T>(
    from: number,
    to: number,
    numNoises: number,
    use: (field: VelocityField, demonstrations: Tensor | undefined) => T,
  ): T;
}

/** A flow that is loaded, until it is disposed. */
export interface OpenedFlow {
  readonly flow: ObservedFlow;
  /** normalised samples float32 `[O, K, A, M]` in the robot's units */
  readonly toRobotUnits: (samples: HostArray) => HostArray;
  dispose(): void;
}

import { ConfigError, ShapeError } from "../support/errors.js";
import {
  clone,
  copy_,
  detach,
  disposeAll,
  foreachLerp_,
  keep,
  noGrad,
  scope,
  type Tensor,
  toDevice,
} from "../torch/index.js";

export interface EmaOptions {
  /** d, at least 0 and below 1: the average forgets half of what it holds in about 0.693 / (1 - d) updates */
  readonly decay: number;
  /** float32 values of parameters that are kept in lower precision, by name, as an optimizer has them */
  readonly masters?: ReadonlyMap<string, Tensor>;
}

/**
 * Exponential moving average of trained parameters, in float32. At update n = 1, 2, …
 *
 *     shadow <- d_n shadow + (1 - d_n) value         d_n = min(d, (1 + n) / (10 + n))
 *
 * The ramp lets the average leave the initial weights quickly: without it, 20,000 updates with d = 0.9999 still hold 13.5 %
 * of them.
 *
 * Reference: Polyak and Juditsky 1992; the ramp is TensorFlow's `ExponentialMovingAverage(num_updates)`.
 */
export class Ema {
  /** Updates made so far. */
  numUpdates = 0;
  readonly #decay: number;
  readonly #names: readonly string[];
  readonly #parameters: readonly Tensor[];
  /** what is averaged: float32 */
  readonly #values: readonly Tensor[];
  readonly #shadows: readonly Tensor[];
  /** the parameters' own values while the average is in their place */
  #aside: readonly Tensor[] | undefined;

  /**
   * Starts at the present values.
   *
   * @throws ConfigError if the decay is not in [0, 1)
   */
  constructor(parameters: ReadonlyMap<string, Tensor>, { decay, masters = parameters }: EmaOptions) {
    if (!(decay >= 0 && decay < 1)) {
      throw new ConfigError("optim.ema", [
        { path: "decay", message: `expected a number of at least 0 and below 1, got ${decay}` },
      ]);
    }
    this.#decay = decay;
    this.#names = [...parameters.keys()];
    this.#parameters = [...parameters.values()];
    this.#values = this.#names.map((name, i) => expectValue(name, this.#parameters[i]!, masters.get(name)));
    this.#shadows = this.#values.map((value) => scope(() => noGrad(() => keep(clone(detach(value))))));
  }

  /** The decay of update n, counted from 1. */
  decayAt(n: number): number {
    return Math.min(this.#decay, (1 + n) / (10 + n));
  }

  /** Takes the present values into the average; call it after every optimizer step. */
  update(): void {
    if (this.#aside !== undefined) throw new TypeError("internal: the average is in the parameters' place");
    this.numUpdates += 1;
    if (this.#shadows.length === 0) return;
    const weight = 1 - this.decayAt(this.numUpdates);
    scope(() =>
      noGrad(() =>
        foreachLerp_(
          [...this.#shadows],
          this.#values.map((value) => detach(value)),
          weight,
        ),
      ),
    );
  }

  /** The averages by name, float32; they belong to this object. */
  shadows(): Map<string, Tensor> {
    return new Map(this.#names.map((name, i) => [name, this.#shadows[i]!]));
  }

  /**
   * Takes over averages and the number of updates, as they were saved.
   *
   * @throws ShapeError naming the parameter that is missing or of another shape; nothing is changed then
   */
  load(numUpdates: number, shadows: ReadonlyMap<string, Tensor>): void {
    const pairs = this.#names.map((name, i) => {
      const [into, from] = [this.#shadows[i]!, shadows.get(name)];
      if (from !== undefined && from.shape.join() === into.shape.join()) return { into, from };
      const got = from === undefined ? "none" : `[${from.shape.join(", ")}]`;
      throw new ShapeError(
        `optim.ema: expected the average of "${name}" of shape [${into.shape.join(", ")}], got ${got}`,
      );
    });
    scope(() =>
      noGrad(() => {
        for (const { into, from } of pairs) copy_(into, toDevice(from, into.device));
      }),
    );
    this.numUpdates = numUpdates;
  }

  /**
   * Runs `body` with the averages in the parameters' place, rounded to their types, and puts back bit for bit what was
   * there, also after an error. Nobody may train meanwhile.
   */
  async withAveraged<T>(body: () => T | Promise<T>): Promise<T> {
    if (this.#aside !== undefined) throw new TypeError("internal: the average is in the parameters' place already");
    const aside = this.#parameters.map((parameter) => scope(() => noGrad(() => keep(clone(detach(parameter))))));
    this.#aside = aside;
    try {
      this.#overwriteParameters(this.#shadows);
      return await body();
    } finally {
      this.#overwriteParameters(aside);
      this.#aside = undefined;
      disposeAll(aside);
    }
  }

  #overwriteParameters(values: readonly Tensor[]): void {
    scope(() =>
      noGrad(() => {
        for (const [i, parameter] of this.#parameters.entries()) copy_(detach(parameter), values[i]!);
      }),
    );
  }

  /** Frees the averages; parameters and masters belong to others. */
  dispose(): void {
    disposeAll(this.#shadows);
  }
}

function expectValue(name: string, parameter: Tensor, value: Tensor | undefined): Tensor {
  if (value?.dtype === "float32" && value.shape.join() === parameter.shape.join()) return value;
  const got = value === undefined ? "none" : `${value.dtype}[${value.shape.join(", ")}]`;
  throw new ShapeError(
    `optim.ema: expected a float32[${parameter.shape.join(", ")}] for "${name}", got ${got}. Parameters of lower precision need masters`,
  );
}

import { ShapeError } from "../support/errors.js";
import {
  clone,
  copy_,
  detach,
  disposeAll,
  full,
  fusedAdamW_,
  keep,
  noGrad,
  scope,
  type Tensor,
  toDevice,
  toDtype,
  zerosLike,
} from "../torch/index.js";

export interface AdamWOptions {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
}

/** What an optimizer remembers of one parameter, float32. */
export interface Moments {
  readonly expAvg: Tensor;
  readonly expAvgSq: Tensor;
}

/**
 * Adam with decoupled weight decay. With g the gradient, at step t:
 *
 *     m <- b1 m + (1 - b1) g          v <- b2 v + (1 - b2) g^2
 *     w <- w - lr * weightDecay * w - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 *
 * All of it is kept in float32. A parameter of lower precision gets a float32 master copy, which takes the updates and
 * from which the parameter is rounded after each: updates smaller than the parameter's own spacing are not lost.
 *
 * Reference: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2.
 */
export class AdamW {
  /** Updates made so far. */
  numUpdates = 0;
  readonly #options: AdamWOptions;
  readonly #names: readonly string[];
  readonly #parameters: readonly Tensor[];
  /** float32 values; a parameter that is float32 is its own master */
  readonly #masters: readonly Tensor[];
  readonly #moments: readonly Moments[];

  constructor(parameters: ReadonlyMap<string, Tensor>, options: AdamWOptions) {
    this.#options = options;
    this.#names = [...parameters.keys()];
    this.#parameters = [...parameters.values()];
    const wide = (p: Tensor): Tensor => keep(noGrad(() => clone(toDtype(detach(p), "float32"))));
    this.#masters = this.#parameters.map((p) => (p.dtype === "float32" ? p : wide(p)));
    this.#moments = this.#masters.map((master) =>
      noGrad(() => keep({ expAvg: zerosLike(detach(master)), expAvgSq: zerosLike(detach(master)) })),
    );
  }

  /**
   * Updates every parameter that has a gradient.
   *
   * @param gradients float32, one per parameter in order; undefined where a parameter had no part in the loss
   */
  step(gradients: readonly (Tensor | undefined)[], learningRate: number): void {
    this.numUpdates += 1;
    scope(() =>
      noGrad(() => {
        const used = gradients.flatMap((gradient, i) => (gradient === undefined ? [] : [{ gradient, i }]));
        if (used.length === 0) return;
        const masters = used.map(({ i }) => detach(this.#masters[i]!));
        const step = full([], this.numUpdates, "float32", undefined, masters[0]!.device);
        const { betas, weightDecay, eps } = this.#options;
        fusedAdamW_(
          masters,
          used.map(({ gradient }) => gradient),
          used.map(({ i }) => this.#moments[i]!.expAvg),
          used.map(({ i }) => this.#moments[i]!.expAvgSq),
          [],
          used.map(() => step),
          learningRate,
          betas[0],
          betas[1],
          weightDecay,
          eps,
          false,
          false,
        );
        this.#roundFromMasters();
      }),
    );
  }

  #roundFromMasters(): void {
    for (const [i, parameter] of this.#parameters.entries()) {
      if (this.#masters[i] !== parameter) copy_(detach(parameter), this.#masters[i]!);
    }
  }

  /** The float32 value of every parameter by name. */
  masters(): Map<string, Tensor> {
    return new Map(this.#names.map((name, i) => [name, this.#masters[i]!]));
  }

  /** The moments of every parameter by name. */
  moments(): Map<string, Moments> {
    return new Map(this.#names.map((name, i) => [name, this.#moments[i]!]));
  }

  /**
   * Takes over masters, moments and the number of updates, as they were saved.
   *
   * @throws ShapeError naming the parameter that is missing or of another shape
   */
  restore(numUpdates: number, masters: ReadonlyMap<string, Tensor>, moments: ReadonlyMap<string, Moments>): void {
    const take = (name: string, into: Tensor, from: Tensor | undefined, what: string): void => {
      if (from === undefined || from.shape.join() !== into.shape.join()) {
        const got = from === undefined ? "none" : `[${from.shape.join(", ")}]`;
        throw new ShapeError(
          `optim.restore: expected ${what} of "${name}" of shape [${into.shape.join(", ")}], got ${got}`,
        );
      }
      scope(() => noGrad(() => copy_(detach(into), toDevice(from, into.device))));
    };
    for (const [i, name] of this.#names.entries()) {
      take(name, this.#masters[i]!, masters.get(name), "the value");
      take(name, this.#moments[i]!.expAvg, moments.get(name)?.expAvg, "the first moment");
      take(name, this.#moments[i]!.expAvgSq, moments.get(name)?.expAvgSq, "the second moment");
    }
    this.numUpdates = numUpdates;
    scope(() => noGrad(() => this.#roundFromMasters()));
  }

  /** Frees masters and moments; the parameters belong to their model. */
  dispose(): void {
    disposeAll(this.#moments);
    for (const [i, master] of this.#masters.entries()) if (master !== this.#parameters[i]) master.dispose();
  }
}

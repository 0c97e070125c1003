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
    const wide = (p: Tensor): Tensor => scope(() => noGrad(() => keep(clone(toDtype(detach(p), "float32")))));
    this.#masters = this.#parameters.map((p) => (p.dtype === "float32" ? p : wide(p)));
    this.#moments = this.#masters.map((master) =>
      scope(() => noGrad(() => keep({ expAvg: zerosLike(detach(master)), expAvgSq: zerosLike(detach(master)) }))),
    );
  }

  /**
   * Updates every parameter that has a gradient.
   *
   * @param gradients float32, one per parameter in order; undefined where a parameter had no part in the loss
   * @throws ShapeError if there are not as many gradients as parameters, or one is not its parameter's shape in float32
   */
  step(gradients: readonly (Tensor | undefined)[], learningRate: number): void {
    this.#expectGradients(gradients);
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

  #expectGradients(gradients: readonly (Tensor | undefined)[]): void {
    if (gradients.length !== this.#names.length) {
      throw new ShapeError(
        `optim.step: expected ${this.#names.length} gradients, one per parameter, got ${gradients.length}`,
      );
    }
    for (const [i, gradient] of gradients.entries()) {
      const { shape } = this.#masters[i]!;
      if (gradient === undefined) continue;
      if (gradient.dtype === "float32" && gradient.shape.join() === shape.join()) continue;
      throw new ShapeError(
        `optim.step: expected a gradient float32[${shape.join(", ")}] for "${this.#names[i]}", got ${gradient.dtype}[${gradient.shape.join(", ")}]`,
      );
    }
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
    const pairs = this.#names.flatMap((name, i) => {
      const { expAvg, expAvgSq } = this.#moments[i]!;
      return [
        expectSaved(name, "the value", this.#masters[i]!, masters.get(name)),
        expectSaved(name, "the first moment", expAvg, moments.get(name)?.expAvg),
        expectSaved(name, "the second moment", expAvgSq, moments.get(name)?.expAvgSq),
      ];
    });
    // Nothing is changed before everything is known to fit.
    scope(() =>
      noGrad(() => {
        for (const { into, from } of pairs) copy_(detach(into), toDevice(from, into.device));
        this.#roundFromMasters();
      }),
    );
    this.numUpdates = numUpdates;
  }

  /** Frees masters and moments; the parameters belong to their model. */
  dispose(): void {
    disposeAll(this.#moments);
    for (const [i, master] of this.#masters.entries()) if (master !== this.#parameters[i]) master.dispose();
  }
}

function expectSaved(
  name: string,
  what: string,
  into: Tensor,
  from: Tensor | undefined,
): { into: Tensor; from: Tensor } {
  if (from !== undefined && from.shape.join() === into.shape.join()) return { into, from };
  const got = from === undefined ? "none" : `[${from.shape.join(", ")}]`;
  throw new ShapeError(`optim.restore: expected ${what} of "${name}" of shape [${into.shape.join(", ")}], got ${got}`);
}

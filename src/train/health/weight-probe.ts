import { cat, detach, noGrad, reshape, scope, slice, type Tensor } from "../../torch/index.js";

/** How far one update moved the trained weights. */
export interface WeightMovement {
  /** `|after - before| / |before|` */
  readonly relativeUpdate: number;
  /**
   * Of the weights that have had a gradient, the share that the update left exactly as they were: it was smaller than half
   * the spacing of float32 there, and such updates never add up.
   */
  readonly shareUnmoved: number;
}

export interface ProbedWeights {
  /** the values that are updated: float32 masters, in the optimizer's order */
  readonly weights: readonly Tensor[];
  /** the optimizer's first moments in the same order, which tell weights without a gradient; without them all count */
  readonly firstMoments?: readonly Tensor[];
}

/** Of 10^8 weights, enough for a share to one percent and a norm to a few. */
const NUM_SAMPLED = 2 ** 16;

/**
 * Measures updates on a sample of the trained weights: every n-th entry of every tensor. Costs two or three small reads,
 * whatever the size of the network.
 */
export class WeightProbe {
  readonly #probed: ProbedWeights;
  readonly #spacing: number;
  #before: Float32Array | undefined;

  /** @param numSampled about how many weights are looked at; every tensor gives one at least */
  constructor(probed: ProbedWeights, numSampled = NUM_SAMPLED) {
    const numWeights = probed.weights.reduce((n, { numElements }) => n + numElements, 0);
    this.#probed = probed;
    this.#spacing = Math.max(1, Math.ceil(numWeights / numSampled));
  }

  /** Takes the weights as they are before an update. */
  remember(): void {
    this.#before = this.#sample(this.#probed.weights);
  }

  /** How far the weights have moved since they were remembered; undefined if they were not, or there are none. */
  measure(): WeightMovement | undefined {
    const before = this.#before;
    this.#before = undefined;
    if (before === undefined || before.length === 0) return undefined;
    const after = this.#sample(this.#probed.weights);
    const moments = this.#probed.firstMoments && this.#sample(this.#probed.firstMoments);
    let [moved, size, numWithGradient, numUnmoved] = [0, 0, 0, 0];
    for (const [i, was] of before.entries()) {
      const is = after[i]!;
      moved += (is - was) ** 2;
      size += was ** 2;
      if (moments?.[i] === 0) continue;
      numWithGradient += 1;
      if (is === was) numUnmoved += 1;
    }
    return {
      relativeUpdate: moved === 0 ? 0 : Math.sqrt(moved / size),
      shareUnmoved: numWithGradient === 0 ? 0 : numUnmoved / numWithGradient,
    };
  }

  #sample(tensors: readonly Tensor[]): Float32Array {
    if (tensors.length === 0) return new Float32Array();
    return scope(() =>
      noGrad(() => {
        const strided = tensors.map((x) => slice(reshape(detach(x), [-1]), 0, 0, null, this.#spacing));
        return cat(strided).toHost().data as Float32Array;
      }),
    );
  }
}

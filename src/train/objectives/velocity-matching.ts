import {
  interpolate,
  type LossOptions,
  l2,
  meanLoss,
  perSampleLoss,
  unpaddedWeights,
  velocityTarget,
} from "../../flow/index.js";
import { repeatPrefix } from "../../smolvla/repeat-prefix.js";
import type { ModelInput, SmolVLA } from "../../smolvla/smolvla.js";
import type { Context } from "../../smolvla/vision-language-model.js";
import {
  detach,
  disposeAll,
  type Generator,
  keep,
  noGrad,
  scope,
  type Tensor,
  toDevice,
  where,
} from "../../torch/index.js";
import type { Coupling, Pairs } from "../couplings/coupling.js";
import { lossByTime } from "./loss-by-time.js";
import type { Objective, StepLoss, TrainingBatch } from "./objective.js";

/** Draws a time for each sample: float32 `[n]`, on the CPU. */
export type DrawTimes = (numSamples: number, generator: Generator) => Tensor;

export interface VelocityMatchingOptions {
  readonly name: string;
  readonly model: SmolVLA;
  readonly device: string;
  readonly coupling: Coupling;
  readonly times: DrawTimes;
  /** of samples whose noise has nothing to do with their actions; `times` if left out */
  readonly independentTimes?: DrawTimes;
  /** of pairs; independent samples have the mean square always, whose minimum is their conditional mean */
  readonly loss: LossOptions;
  /** whether images and language are encoded without gradients, and once for whoever needs them */
  readonly hasFrozenContext: boolean;
  /** changes what is seen of a batch, for the model and whoever makes its pairs alike; nothing if left out */
  readonly perturb?: ((batch: TrainingBatch) => TrainingBatch) | undefined;
}

/** A regression problem: points, times and the velocities that belong there, for the observations of a batch. */
export interface Problem extends Pairs {
  readonly input: ModelInput;
  readonly context: Context | undefined;
  /** float32 `[n]` on the device */
  readonly time: Tensor;
}

/**
 * Regresses the velocity at random points of the lines between noises and actions to `noise - actions`. With independent
 * noises and demonstrations this is flow matching, with a teacher's pairs reflow, at time 1 alone distillation.
 *
 * Reference: Liu et al. 2022, arXiv:2209.03003, eq. (1), with `time = 1 - t`.
 */
export class VelocityMatching implements Objective {
  readonly name: string;
  readonly #options: VelocityMatchingOptions;

  constructor(options: VelocityMatchingOptions) {
    this.name = options.name;
    this.#options = options;
    if (options.loss.weights) keep(options.loss.weights);
  }

  loss(batch: TrainingBatch, generator: Generator): StepLoss {
    return this.lossOf(this.pose(batch, generator));
  }

  /** The problem of a batch, which several students can be asked: pairs first, then times, without gradients. */
  pose(given: TrainingBatch, generator: Generator): Problem {
    const { model, coupling, device, hasFrozenContext, perturb } = this.#options;
    return noGrad(() => {
      const batch = perturb ? perturb(given) : given;
      const { input } = batch;
      const context = hasFrozenContext ? scope(() => model.encodeContext(input)) : undefined;
      const pairs = coupling.couple(batch, context, generator);
      const time = this.#drawTimes(pairs.noise.size(0), pairs.isIndependent, generator);
      return { input, context, ...pairs, time: toDevice(time, device) };
    });
  }

  #drawTimes(numSamples: number, isIndependent: Tensor | undefined, generator: Generator): Tensor {
    const { times, independentTimes } = this.#options;
    const drawn = times(numSamples, generator);
    if (isIndependent === undefined || independentTimes === undefined) return drawn;
    return where(toDevice(isIndependent, "cpu"), independentTimes(numSamples, generator), drawn);
  }

  /** The loss of a problem, for a student other than the objective's own too. */
  lossOf(problem: Problem, model: SmolVLA = this.#options.model): StepLoss {
    const { coupling, loss: options } = this.#options;
    const { input, context, noise, actions, time, isPad, isIndependent } = problem;
    const once = context === undefined ? model.encodePrefix(input) : model.extendContext(context, input.state);
    const prefix = repeatPrefix(once, coupling.numNoises);
    const predicted = model.velocity(prefix, interpolate(noise, actions, time), time);
    const target = velocityTarget(noise, actions);
    const weights = isPad === undefined ? options.weights : unpaddedWeights(isPad, options.weights);
    const ofPairs = perSampleLoss(predicted, target, { ...options, weights });
    const losses =
      isIndependent === undefined
        ? ofPairs
        : where(isIndependent, perSampleLoss(predicted, target, { distance: l2, weights }), ofPairs);
    return {
      loss: meanLoss(losses, problem.weights),
      figures: () => [...lossByTime(detach(losses), time, problem.weights), ...(problem.figures ?? [])],
    };
  }

  /** Frees what lives longer than a step. */
  dispose(): void {
    const { coupling, loss } = this.#options;
    coupling.dispose();
    if (loss.weights) disposeAll(loss.weights);
  }
}

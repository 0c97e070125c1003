import { type Grid, pairDistance, type Solver, sampleNoise } from "../../flow/index.js";
import { toModelInput } from "../../policy/model-input.js";
import type { ProcessorBatch } from "../../policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { actionDim } from "../../smolvla/config.js";
import { deriveSeed } from "../../support/derive-seed.js";
import { cat, Generator, noGrad, reshape, scope, slice, type Tensor, toDevice } from "../../torch/index.js";
import { carryNoise, type PaddedDims, type TeacherOptions } from "../couplings/teacher.js";
import { frameNumbers } from "./frame-numbers.js";
import type { ShardArrays } from "./pair-shard.js";

export interface PairMakerOptions {
  readonly teacher: SmolVLAPolicy;
  readonly solver: Solver;
  readonly grid: Grid;
  readonly numSteps: number;
  readonly paddedDims: PaddedDims;
  readonly seed: number;
}

/** Makes the pairs of frames. The noises of a frame depend on the seed, the frame's number and their own alone. */
export class PairMaker {
  readonly #options: PairMakerOptions;

  constructor(options: PairMakerOptions) {
    this.#options = options;
  }

  /** K pairs of each of the n frames of a processed batch, on one encoding of it. */
  make(batch: ProcessorBatch, numNoises: number): ShardArrays {
    const { config } = this.#options.teacher;
    const shape = [-1, numNoises, config.chunkSize, config.maxActionDim];
    return scope(() => {
      const noise = this.#noise(batch, numNoises);
      const actions = toDevice(this.#carry(batch, noise, numNoises, this.#options.numSteps), "cpu");
      return {
        noise: reshape(noise, shape).toHost(),
        actions: reshape(actions, shape).toHost(),
        distance: reshape(pairDistance(noise, actions, actionDim(config)), [-1, numNoises]).toHost(),
      };
    });
  }

  /** Where K noises of each of O frames end at a number of steps and at twice as many, float32 `[O, K, A, M]`, real dimensions. */
  makeAtTwice(batch: ProcessorBatch, numNoises: number) {
    const { teacher, numSteps } = this.#options;
    const { config } = teacher;
    const [A, M] = [config.chunkSize, actionDim(config)];
    return scope(() => {
      const noise = this.#noise(batch, numNoises);
      const ends = (n: number) =>
        reshape(slice(this.#carry(batch, noise, numNoises, n), -1, 0, M), [-1, numNoises, A, M]).toHost();
      return { once: ends(numSteps), twice: ends(2 * numSteps) };
    });
  }

  /** `[n * K, A, M]`, on the CPU */
  #noise({ arrays }: ProcessorBatch, numNoises: number): Tensor {
    const { seed, teacher } = this.#options;
    const { chunkSize, maxActionDim } = teacher.config;
    const draw = (frame: number, number: number): Tensor => {
      using generator = new Generator(deriveSeed(seed, "stored noise", frame, number));
      return sampleNoise([1, chunkSize, maxActionDim], generator);
    };
    return cat(
      frameNumbers(arrays).flatMap((frame) => Array.from({ length: numNoises }, (_, number) => draw(frame, number))),
      0,
    );
  }

  #carry({ arrays }: ProcessorBatch, noise: Tensor, numNoises: number, numSteps: number): Tensor {
    const { teacher: policy, solver, grid, paddedDims } = this.#options;
    const { model, config, device } = policy;
    const options: TeacherOptions = {
      teacher: model,
      config,
      device,
      sharesContext: true,
      solver,
      grid,
      numSteps,
      paddedDims,
      numNoises,
    };
    return noGrad(() =>
      scope(() => {
        const input = toModelInput(arrays, config, device);
        const context = model.encodeContext(input);
        return carryNoise(options, { input, arrays }, context, toDevice(noise, device));
      }),
    );
  }
}

/** Observations that a run does not learn from, and how well its policy does on them. */
import { collate, type LeRobotDataset } from "../data/index.js";
import { measureAgreement } from "../eval/index.js";
import { euler, heun, type Solver, sampleNoise, solve } from "../flow/index.js";
import { toModelInput } from "../policy/model-input.js";
import { withRenameMap } from "../policy/processors/override-pipeline.js";
import { type ProcessorBatch, runPreprocessor } from "../policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { actionDim } from "../smolvla/config.js";
import { repeatPrefix } from "../smolvla/repeat-prefix.js";
import type { HostArray } from "../support/host-array.js";
import { Generator, keep, noGrad, reshape, scope, slice, type Tensor, toDevice } from "../torch/index.js";
import type { TrainConfig } from "./config.js";

/** Numbers of Euler steps at which a policy is measured. */
export const AGREEMENT_STEPS = [1, 2, 5, 10] as const;

/** Share of episodes that a reflow run keeps for measuring, if it is not told. */
const REFLOW_SHARE = 0.05;

/** What a measurement says, by number of steps. */
export const agreementRows = (metrics: Readonly<Record<string, number>>) =>
  AGREEMENT_STEPS.map((numSteps) => ({
    numSteps,
    relativeError: metrics[`relative_error_${numSteps}`],
    noiseExplained: metrics[`noise_explained_${numSteps}`],
    spreadRatio: metrics[`spread_ratio_${numSteps}`],
  }));

export interface EpisodeSplit {
  readonly training: readonly number[];
  /** empty if nothing is held out */
  readonly heldOut: readonly number[];
}

/**
 * Which of a run's episodes it learns from: of more than one, the share that the settings hold out, at least one, spread
 * evenly over all. A run that measures nothing holds nothing out.
 */
export function splitEpisodes(
  episodes: readonly number[],
  { heldOut, policy, evalFreq }: Pick<TrainConfig, "heldOut" | "policy" | "evalFreq">,
): EpisodeSplit {
  const share = heldOut.share ?? (policy.useReflow ? REFLOW_SHARE : 0);
  if (share === 0 || evalFreq === 0 || episodes.length < 2) return { training: episodes, heldOut: [] };
  const count = Math.min(episodes.length - 1, Math.max(1, Math.round(share * episodes.length)));
  const places = new Set(Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * episodes.length) / count)));
  return {
    training: episodes.filter((_, place) => !places.has(place)),
    heldOut: episodes.filter((_, place) => places.has(place)),
  };
}

/** Frames of a dataset, evenly spaced, under the policy's names. */
export async function sampleObservations(
  dataset: LeRobotDataset,
  count: number,
  renameMap: Readonly<Record<string, string>>,
): Promise<ProcessorBatch> {
  const numFrames = Math.min(count, dataset.numFrames);
  const items = [];
  for (let i = 0; i < numFrames; i++) {
    items.push(await dataset.item(Math.floor(((i + 0.5) * dataset.numFrames) / numFrames)));
  }
  const { arrays, tasks } = collate(items);
  const renamed = Object.entries(arrays).map(([name, array]) => [renameMap[name] ?? name, array]);
  return { arrays: Object.fromEntries(renamed), tasks };
}

export interface ProbeOptions {
  readonly policy: SmolVLAPolicy;
  /** whose solution the policy is measured against; the policy's own if undefined */
  readonly teacher: SmolVLAPolicy | undefined;
  readonly observations: ProcessorBatch;
  readonly numNoises: number;
  /** steps of Heun's method for the solution */
  readonly referenceSteps: number;
  readonly seed: number;
}

/**
 * Measures how well a policy agrees with its teacher's solution at 1, 2, 5 and 10 Euler steps, on equal noises for the same
 * observations; a policy without a teacher, with its own solution.
 */
export class AgreementProbe {
  readonly #options: ProbeOptions;
  readonly #arrays: Readonly<Record<string, HostArray>>;
  readonly #noise: Tensor;
  readonly #teacherSolution: HostArray | undefined;

  constructor(options: ProbeOptions) {
    const { policy, teacher, observations, numNoises, seed } = options;
    const { chunkSize, maxActionDim } = policy.config;
    this.#options = options;
    this.#arrays = runPreprocessor(
      withRenameMap(policy.processors.preprocessor, {}), // they have the policy's names already
      observations,
      policy.tokenizer,
    ).arrays;
    using generator = new Generator(seed);
    this.#noise = scope(() =>
      keep(
        toDevice(
          sampleNoise([observations.tasks.length * numNoises, chunkSize, maxActionDim], generator),
          policy.device,
        ),
      ),
    );
    this.#teacherSolution = teacher && this.#samples(teacher, [[heun, options.referenceSteps]])[0];
  }

  /**
   * `relative_error_N`, `noise_explained_N` and `spread_ratio_N` for N of 1, 2, 5 and 10 steps; undefined ones left out.
   *
   * @param policy another than the probe's own, that reads and acts alike
   */
  measure(policy: SmolVLAPolicy = this.#options.policy): Readonly<Record<string, number>> {
    const few = AGREEMENT_STEPS.map((numSteps) => [euler, numSteps] as const);
    const own = this.#teacherSolution === undefined ? [[heun, this.#options.referenceSteps] as const] : [];
    const samples = this.#samples(policy, [...few, ...own]);
    const reference = this.#teacherSolution ?? samples.at(-1)!;
    const metrics: Record<string, number> = {};
    for (const [i, numSteps] of AGREEMENT_STEPS.entries()) {
      const agreement = measureAgreement(samples[i]!, reference);
      const values = {
        relative_error: agreement.relativeError,
        noise_explained: agreement.noiseExplained,
        spread_ratio: agreement.spreadRatio,
      };
      for (const [name, value] of Object.entries(values)) {
        if (value !== undefined) metrics[`${name}_${numSteps}`] = value;
      }
    }
    return metrics;
  }

  /**
   * Samples of every observation and noise, one array for each solve, on one encoding of the observations: float32
   * `[O, K, A, M]` in the robot's dimensions, normalised.
   */
  #samples(
    { model, config, device }: SmolVLAPolicy,
    solves: readonly (readonly [solver: Solver, numSteps: number])[],
  ): readonly HostArray[] {
    const { numNoises } = this.#options;
    return noGrad(() =>
      scope(() => {
        const prefix = repeatPrefix(model.encodePrefix(toModelInput(this.#arrays, config, device)), numNoises);
        return solves.map(([solver, numSteps]) =>
          scope(() => {
            const samples = solve(solver, (x, time) => model.velocity(prefix, x, time), this.#noise, numSteps);
            const real = slice(samples, -1, 0, actionDim(config));
            return reshape(real, [-1, numNoises, config.chunkSize, actionDim(config)]).toHost();
          }),
        );
      }),
    );
  }

  dispose(): void {
    this.#noise.dispose();
  }
}

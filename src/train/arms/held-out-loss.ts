import { toModelInput } from "../../policy/model-input.js";
import { withRenameMap } from "../../policy/processors/override-pipeline.js";
import { type ProcessorBatch, runPreprocessor } from "../../policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { deriveSeed } from "../../support/derive-seed.js";
import { Generator, noGrad, scope } from "../../torch/index.js";
import type { VelocityMatching } from "../objectives/velocity-matching.js";

export interface HeldOutLossOptions {
  readonly objective: VelocityMatching;
  /** whose processors read the observations */
  readonly policy: SmolVLAPolicy;
  /** with whole chunks of actions, under the policy's names */
  readonly observations: ProcessorBatch;
  /** noises and times for each observation */
  readonly numNoises: number;
  readonly seed: number;
}

/**
 * A function that gives an objective's loss on fixed observations with fixed noises and times, without training: the same
 * question for every policy, whenever it is asked.
 */
export function heldOutLoss(options: HeldOutLossOptions): (policy: SmolVLAPolicy) => number {
  const { objective, policy: reader, observations, numNoises, seed } = options;
  const { arrays, tasks } = runPreprocessor(
    withRenameMap(reader.processors.preprocessor, {}), // they have the policy's names already
    observations,
    reader.tokenizer,
  );
  const lossAt = (policy: SmolVLAPolicy, place: number): number =>
    noGrad(() =>
      scope(() => {
        using generator = new Generator(deriveSeed(seed, "held-out loss", place));
        const input = toModelInput(arrays, reader.config, reader.device);
        const problem = objective.pose({ input, arrays, tasks, number: 0, step: 0 }, generator);
        return objective.lossOf(problem, policy.model).loss.item();
      }),
    );
  return (policy) => {
    let sum = 0;
    for (let place = 0; place < numNoises; place++) sum += lossAt(policy, place);
    return sum / numNoises;
  };
}

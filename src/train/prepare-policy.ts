/** The policy that a run trains, and the objective it trains it for: from a teacher, from a policy, or from nothing. */
import type { DatasetMetadata } from "../data/index.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import type { TrainConfig } from "./config.js";
import type { VelocityMatching } from "./objectives/velocity-matching.js";
import { prepareFlowMatching } from "./prepare-flow-matching.js";
import { prepareReflow } from "./prepare-reflow.js";
import type { RunProvenance } from "./run-provenance.js";

export interface PreparedPolicy {
  /** what is trained and saved; its processors are those that are saved */
  readonly policy: SmolVLAPolicy;
  /** the teacher whose flow is learnt; undefined for flow matching */
  readonly teacher: SmolVLAPolicy | undefined;
  /** k of the teacher's flow, 1 for one of ordinary flow matching; undefined for flow matching */
  readonly teacherRound: number | undefined;
  /** what it must equal before the first step: its teacher, or itself */
  readonly reference: SmolVLAPolicy;
  /** the folder whose weights it starts with; undefined for a policy with new ones */
  readonly startFolder: string | undefined;
  readonly objective: VelocityMatching;
  /** what a user should know about this combination, as sentences */
  readonly warnings: readonly string[];
  /** what is written beside the weights of every checkpoint; the hash of a large teacher takes seconds */
  readonly provenance: () => Promise<RunProvenance>;
}

/**
 * What a run trains, as its settings say.
 *
 * @param checkpoint policy folder of the checkpoint that the run continues from
 */
export function preparePolicy(
  config: TrainConfig,
  dataset: DatasetMetadata,
  seed: number,
  checkpoint: string | undefined,
): Promise<PreparedPolicy> {
  return config.policy.useReflow
    ? prepareReflow(config, dataset, seed, checkpoint)
    : prepareFlowMatching(config, dataset, seed, checkpoint);
}

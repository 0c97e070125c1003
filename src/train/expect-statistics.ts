import { missingStatistics } from "../policy/processors/missing-statistics.js";
import { statisticsHash } from "../policy/processors/statistics.js";
import { readProvenance } from "../policy/provenance.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { CheckpointError } from "../support/errors.js";

/**
 * Refuses a policy whose processors pass unchanged what its configuration normalises.
 *
 * @param where begins the message
 * @param whose the policy in words
 * @throws CheckpointError naming every statistic that is missing
 */
export function expectStatistics(
  { processors, config }: Pick<SmolVLAPolicy, "processors" | "config">,
  where: string,
  whose: string,
): void {
  const missing = [processors.preprocessor, processors.postprocessor].flatMap((p) => missingStatistics(p, config));
  if (missing.length === 0) return;
  const list = missing.map(({ feature, mode, stat, where: step }) => `  - ${feature}.${stat} for ${mode} in ${step}`);
  throw new CheckpointError(
    `${where}: the processors of the ${whose} have no statistics for features that its config.json normalises:\n${list.join("\n")}\n` +
      "Such a policy reads raw states and sends normalised actions to the robot. Give a policy folder saved after training, " +
      "with its normalizer and unnormalizer files; for a policy trained on demonstrations, a dataset with these statistics",
  );
}

/**
 * Refuses to continue a run with other statistics than it was trained with. A checkpoint of stock LeRobot does not say which
 * these were.
 *
 * @param checkpoint policy folder of the checkpoint
 * @throws CheckpointError if they are missing, or not those of the checkpoint's `reflow.json`
 */
export async function expectSameStatistics(checkpoint: string, policy: SmolVLAPolicy): Promise<void> {
  expectStatistics(policy, "--resume", "checkpoint to continue");
  const { preprocessor, postprocessor } = policy.processors;
  const then = await readProvenance(checkpoint);
  if (then === undefined || then.statisticsSha256 === statisticsHash([preprocessor, postprocessor])) return;
  throw new CheckpointError(
    `--resume: expected the statistics that ${checkpoint} was trained with, got others in its processors. Restore its ` +
      "normalizer and unnormalizer files, or start a new run",
  );
}

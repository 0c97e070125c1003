import { missingStatistics } from "../policy/processors/missing-statistics.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";

/**
 * Sentences about features that pass a policy's processors unchanged, though its configuration normalises them.
 *
 * @param actions what the user knows the policy's actions by
 */
export function normalizationWarnings(
  { processors, config }: Pick<SmolVLAPolicy, "processors" | "config">,
  actions = "its actions",
): string[] {
  const missing = [processors.preprocessor, processors.postprocessor].flatMap((pipeline) =>
    missingStatistics(pipeline, config),
  );
  const features = [...new Set(missing.map(({ feature }) => feature))];
  if (features.length === 0) return [];
  return [
    `the policy has no statistics for ${features.join(", ")}: they pass un-normalised, so that ${actions} may not be in the ` +
      "robot's units. `reflow inspect` shows which are missing",
  ];
}

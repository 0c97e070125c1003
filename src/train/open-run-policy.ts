import type { DatasetMetadata } from "../data/index.js";
import { setFloat32MatmulPrecision } from "../torch/index.js";
import { checkFeatures } from "./check-features.js";
import type { TrainConfig } from "./config.js";
import { prepareModel } from "./prepare-model.js";
import { type PreparedPolicy, preparePolicy } from "./prepare-policy.js";

/**
 * The policy of a run, which fits its dataset.
 *
 * @param checkpoint policy folder of the checkpoint that the run continues from
 * @param warn told what a user should know
 */
export async function openRunPolicy(
  settings: TrainConfig,
  dataset: DatasetMetadata,
  seed: number,
  checkpoint: string | undefined,
  warn: (message: string) => void,
): Promise<PreparedPolicy> {
  const prepared = await preparePolicy(settings, dataset, seed, checkpoint);
  try {
    const { policy, warnings } = prepared;
    prepareModel(policy.model, settings, seed);
    const aboutFeatures = checkFeatures(dataset, policy.config, settings.renameMap);
    for (const warning of [...policy.warnings, ...warnings, ...aboutFeatures]) warn(warning);
    if (policy.device.startsWith("cuda")) setFloat32MatmulPrecision("high"); // as LeRobot trains
    return prepared;
  } catch (error) {
    disposeRunPolicy(prepared);
    throw error;
  }
}

export function disposeRunPolicy({ objective, policy, teacher }: PreparedPolicy): void {
  objective.dispose();
  policy.dispose();
  teacher?.dispose();
}

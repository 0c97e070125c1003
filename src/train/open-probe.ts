import { LeRobotDataset } from "../data/index.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { deriveSeed } from "../support/derive-seed.js";
import type { TrainConfig } from "./config.js";
import { AgreementProbe, sampleObservations } from "./held-out.js";
import type { PreparedPolicy } from "./prepare-policy.js";
import type { RunData } from "./run-data.js";

/** What measures a run's policy: on held-out episodes, or on those that it learns from if none are held out. */
export async function openProbe(
  config: TrainConfig & { readonly seed: number },
  { policy, teacher }: Pick<PreparedPolicy, "policy" | "teacher">,
  data: RunData,
): Promise<AgreementProbe> {
  const { numNoises, referenceSteps } = config.heldOut;
  return new AgreementProbe({
    policy,
    teacher,
    observations: await probeObservations(config, data),
    numNoises,
    referenceSteps,
    seed: deriveSeed(config.seed, "held out"),
  });
}

/**
 * The observations that a run is measured on.
 *
 * @param chunkSize demonstrated actions that each comes with; one if left out
 */
export async function probeObservations(
  { heldOut: { numObservations }, renameMap }: TrainConfig,
  { source, training, heldOut }: RunData,
  chunkSize?: number,
): Promise<ProcessorBatch> {
  const episodes = heldOut.length > 0 ? heldOut : training;
  await using dataset = await LeRobotDataset.open({ ...source, episodes, ...(chunkSize ? { chunkSize } : {}) });
  return await sampleObservations(dataset, numObservations, renameMap); // before the dataset is closed
}

import { join } from "node:path";
import { collate, type LeRobotDataset } from "../data/index.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import { deriveSeed } from "../support/derive-seed.js";
import { type CheckpointSources, checkpointContent } from "./checkpoint-content.js";
import type { TrainConfig } from "./config.js";
import { checkStepZero } from "./step-zero-gate.js";
import { beginAtSavedWeights } from "./training-state.js";

/** Lets a run begin at its start policy, as the files of that policy have it, and shows that its own files are right. */
export async function beginRun(
  sources: CheckpointSources,
  dataset: LeRobotDataset,
  say: (kind: "info", message: string) => void,
): Promise<void> {
  const { config, prepared, optimizer, ema } = sources;
  if (prepared.startFolder !== undefined) await beginAtSavedWeights(prepared.startFolder, optimizer);
  ema?.load(0, optimizer.masters());
  say("info", "step-0 gate: saving the untouched student, loading it again and comparing it with what it started from");
  await checkStepZero({
    reference: prepared.reference,
    writeStudent: checkpointContent(sources, 0).writePolicy,
    observation: await gateObservation(dataset, config),
    scratchFolder: join(config.outputDir, ".step-0-gate"),
    seed: deriveSeed(config.seed, "gate"),
  });
  say("info", "step-0 gate: passed");
}

/** Two frames of the dataset, far apart, under the policy's names. */
async function gateObservation(dataset: LeRobotDataset, { renameMap }: TrainConfig): Promise<ProcessorBatch> {
  const { arrays, tasks } = collate([await dataset.item(0), await dataset.item(Math.floor(dataset.numFrames / 2))]);
  const renamed = Object.entries(arrays).map(([name, array]) => [renameMap[name] ?? name, array]);
  return { arrays: Object.fromEntries(renamed), tasks };
}

/** What a policy folder says besides its weights, whichever version of LeRobot wrote it. */
import { join } from "node:path";
import { parseSmolVLAConfig, type SmolVLAConfig } from "../smolvla/config.js";
import type { CurrentName } from "../smolvla/load.js";
import { readJson } from "../support/read-json.js";
import { type MigrationOptions, migrateProcessors } from "./old-layout/migrate-processors.js";
import { type OldLayout, readOldLayout } from "./old-layout/old-layout.js";
import { currentName } from "./old-layout/stored-names.js";
import { loadProcessorPipeline } from "./processors/load-pipeline.js";
import type { ProcessorPipelines } from "./processors/pipeline.js";

/** A folder's `config.json` in today's form. */
export interface PolicyJson {
  readonly path: string;
  /** what `parseSmolVLAConfig` takes; in an old folder without the keys that are not known any more */
  readonly json: unknown;
  /** undefined for a folder in today's layout */
  readonly old: OldLayout | undefined;
}

export interface PolicyFiles {
  readonly config: SmolVLAConfig;
  readonly processors: ProcessorPipelines;
  /** names of the weights, where the file has others than the published ones */
  readonly currentName: CurrentName | undefined;
  /** what was done to read an old folder, as sentences */
  readonly warnings: readonly string[];
}

/**
 * A policy folder's `config.json`, to be changed and parsed.
 *
 * @throws CheckpointError saying what a policy folder holds, if there is none
 */
export async function readPolicyJson(folder: string): Promise<PolicyJson> {
  const path = join(folder, "config.json");
  const json = await readJson(
    path,
    "A LeRobot policy folder holds config.json, model.safetensors, policy_preprocessor.json and policy_postprocessor.json; " +
      "in a training run it is checkpoints/NUMBER/pretrained_model",
  );
  const old = await readOldLayout(folder, json);
  return { path, json: old?.json ?? json, old };
}

/**
 * The configuration in a policy folder.
 *
 * @throws CheckpointError saying what a policy folder holds, if there is none
 */
export async function readPolicyConfig(folder: string): Promise<SmolVLAConfig> {
  const { json, path } = await readPolicyJson(folder);
  return parseSmolVLAConfig(json, path);
}

/**
 * Configuration and processors of a policy folder. One in the layout of LeRobot up to 0.3 is migrated in memory.
 *
 * @throws CheckpointError or ConfigError naming the file at fault
 */
export async function readPolicyFiles(folder: string, options: MigrationOptions = {}): Promise<PolicyFiles> {
  const { json, path, old } = await readPolicyJson(folder);
  const config = parseSmolVLAConfig(json, path);
  if (old !== undefined) return { config, currentName, ...(await migrateProcessors(folder, old, config, options)) };
  return { config, processors: await readProcessors(folder), currentName: undefined, warnings: [] };
}

/** Both pipelines in a policy folder. @throws CheckpointError naming the file at fault */
export const readProcessors = async (folder: string): Promise<ProcessorPipelines> => ({
  preprocessor: await loadProcessorPipeline(folder, "policy_preprocessor"),
  postprocessor: await loadProcessorPipeline(folder, "policy_postprocessor"),
});

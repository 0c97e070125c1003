import { isAdapterFolder } from "../policy/adapter-folder.js";
import { readPolicyJson } from "../policy/policy-files.js";
import { parseSmolVLAConfig, type SmolVLAConfig } from "../smolvla/config.js";
import { CheckpointError } from "../support/errors.js";
import { policyOverrides, type TrainConfig } from "./config.js";

type Json = Readonly<Record<string, unknown>>;

/** A folder's `config.json` as it is, and with the run's overrides over it. */
export async function readConfigs(
  folder: string,
  config: TrainConfig,
): Promise<{ readonly own: Json; readonly merged: SmolVLAConfig }> {
  if (isAdapterFolder(folder)) {
    throw new CheckpointError(
      `${folder}: expected a policy, got an adapter to one. Merge it first: reflow merge ${folder} --output=DIR`,
    );
  }
  const { path, json } = await readPolicyJson(folder);
  const own = json as Json;
  return { own, merged: parseSmolVLAConfig({ ...own, ...policyOverrides(config) }, path) };
}

export const loadOptions = (
  config: TrainConfig,
): { readonly device?: string; readonly precision: TrainConfig["precision"] } => ({
  ...(config.policy.device === undefined ? {} : { device: config.policy.device }),
  precision: config.precision,
});

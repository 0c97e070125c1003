import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { WEIGHTS_FILE } from "../smolvla/load.js";
import { ADAPTER_CONFIG_FILE, parseLoraConfig } from "../smolvla/lora-config.js";
import { CheckpointError } from "../support/errors.js";
import { readJson } from "../support/read-json.js";

/** Whether a folder holds PEFT's corrections to a policy instead of a policy. */
export const isAdapterFolder = (folder: string): boolean =>
  existsSync(join(folder, ADAPTER_CONFIG_FILE)) && !existsSync(join(folder, WEIGHTS_FILE));

/**
 * The policy that an adapter's folder names as its base: a folder, looked up from there too, or a Hub id.
 *
 * @throws CheckpointError if it names none
 */
export async function adapterBase(folder: string): Promise<string> {
  const path = join(folder, ADAPTER_CONFIG_FILE);
  const { base } = parseLoraConfig(await readJson(path), path);
  if (base === undefined) {
    throw new CheckpointError(
      `${path}: expected base_model_name_or_path, got none. Name the policy there that the adapter was made for`,
    );
  }
  const beside = resolve(folder, base);
  return existsSync(beside) ? beside : base;
}

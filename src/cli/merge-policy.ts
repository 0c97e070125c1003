import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { resolveFolder } from "../hub/resolve-folder.js";
import { adapterBase, isAdapterFolder } from "../policy/adapter-folder.js";
import { readProvenance, writeProvenance } from "../policy/provenance.js";
import { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { CheckpointError } from "../support/errors.js";

/**
 * Writes an adapter and the policy it was made for as one complete policy.
 *
 * @throws CheckpointError if the folder is no adapter, or the output exists
 */
export async function mergePolicy(nameOrPath: string, output: string): Promise<void> {
  const folder = await resolveFolder({ nameOrPath, kind: "model" });
  if (!isAdapterFolder(folder)) {
    throw new CheckpointError(
      `${nameOrPath}: expected an adapter (adapter_config.json and adapter_model.safetensors, no model.safetensors), got a ` +
        "folder that is none",
    );
  }
  if (existsSync(output)) throw new CheckpointError(`--output: expected a folder that does not exist, got ${output}`);
  const policy = await SmolVLAPolicy.load(folder, {
    device: "cpu",
    besides: [resolve(await adapterBase(folder), "..")],
  });
  try {
    await policy.save(output);
    const provenance = await readProvenance(folder);
    if (provenance) await writeProvenance(output, provenance);
  } finally {
    policy.dispose();
  }
}

import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { resolveFolder } from "../hub/resolve-folder.js";
import { CheckpointError } from "../support/errors.js";
import { readJson } from "../support/read-json.js";

/** Where a policy lies in what a user may name: the folder itself, a checkpoint's, a run's last one. */
const PLACES = [".", "pretrained_model", join("checkpoints", "last", "pretrained_model")];

/**
 * The folder with a policy's `config.json` that a user means by a name. Only names and the configuration's kind are looked
 * at; whether the policy is whole, its loader says.
 *
 * @param nameOrPath a policy folder, a checkpoint, a training run, or a Hub id `owner/name`
 * @throws CheckpointError saying what the folder is instead
 * @throws HubError if there is no such folder and no such repository
 */
export async function findPolicyFolder(nameOrPath: string, revision?: string): Promise<string> {
  if (statSync(nameOrPath, { throwIfNoEntry: false })?.isFile()) {
    throw new CheckpointError(
      `${nameOrPath}: expected a policy folder, got a file. Give the folder it lies in, ${dirname(nameOrPath)}`,
    );
  }
  const root = await resolveFolder({ nameOrPath, kind: "model", revision });
  const folder = PLACES.map((place) => join(root, place)).find((place) => existsSync(join(place, "config.json")));
  if (folder === undefined) throw new CheckpointError(`${root}: ${whatElse(root)}`);
  await expectPolicyConfig(join(folder, "config.json"));
  return folder;
}

/** What a folder without a policy's configuration seems to be. */
function whatElse(root: string): string {
  if (existsSync(join(root, "meta", "info.json"))) return "expected a policy folder, got a dataset";
  if (existsSync(join(root, "checkpoints"))) {
    return "expected a policy folder, got a training run without checkpoints/last. Give one of its checkpoints, if it has any";
  }
  if (existsSync(join(root, "adapter_config.json"))) {
    return `expected a policy, got an adapter to one. Merge it first: reflow merge ${root} --output=DIR`;
  }
  return (
    "expected a policy folder, got one without config.json. A LeRobot policy folder holds config.json, model.safetensors, " +
    "policy_preprocessor.json and policy_postprocessor.json; in a training run it is checkpoints/NUMBER/pretrained_model"
  );
}

/** Refuses configurations of other models by what they are, rather than by the keys in which they differ. */
async function expectPolicyConfig(path: string): Promise<void> {
  const { type, model_type: modelType } = ((await readJson(path)) ?? {}) as Record<string, unknown>;
  if (type === "smolvla" || (type === undefined && modelType === undefined)) return;
  if (type === undefined) {
    throw new CheckpointError(
      `${path}: expected a policy's configuration, got that of a base model (model_type ${JSON.stringify(modelType)}), ` +
        "which sees and reads but has no action expert. A policy names it as vlm_model_name",
    );
  }
  throw new CheckpointError(`${path}: expected a policy of type "smolvla", got ${JSON.stringify(type)}`);
}

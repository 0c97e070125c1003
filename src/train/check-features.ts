import type { DatasetMetadata } from "../data/index.js";
import { featuresFromDataset, imageFeatureNames, type PolicyFeature, type SmolVLAConfig } from "../smolvla/config.js";
import { DatasetError } from "../support/errors.js";

const describe = (features: Readonly<Record<string, PolicyFeature>>): string =>
  Object.entries(features)
    .map(([name, { type, shape }]) => `${name} ${type.toLowerCase()} [${shape.join(", ")}]`)
    .join("; ") || "none";

/**
 * Checks that a dataset offers what a policy sees and does.
 *
 * Cameras follow LeRobot's rule: the policy's may be a part of the dataset's or the other way round, at least one in
 * common. State and action must be there in the policy's width.
 *
 * @param renameMap dataset name -> policy name
 * @returns warnings about cameras of the policy that the dataset lacks
 * @throws DatasetError naming both sides
 */
export function checkFeatures(
  metadata: DatasetMetadata,
  config: SmolVLAConfig,
  renameMap: Readonly<Record<string, string>>,
): string[] {
  const own = featuresFromDataset(Object.fromEntries(metadata.features.entries()));
  const offered = Object.fromEntries(Object.entries(own).map(([name, feature]) => [renameMap[name] ?? name, feature]));
  const wanted = { ...config.inputFeatures, ...config.outputFeatures };
  const problems: string[] = [];
  for (const name of ["observation.state", "action"]) {
    const shape = wanted[name]?.shape;
    const found = offered[name];
    if (shape === undefined) problems.push(`the policy has no "${name}"`);
    else if (found === undefined) problems.push(`"${name}" is missing`);
    else if (found.shape.join() !== shape.join()) {
      problems.push(`"${name}" has shape [${found.shape.join(", ")}], the policy's has [${shape.join(", ")}]`);
    }
  }
  const seen = imageFeatureNames(config).filter((name) => !/\.empty_camera_\d+$/.test(name));
  const shown = Object.keys(offered).filter((name) => offered[name]?.type === "VISUAL");
  const common = seen.filter((name) => shown.includes(name));
  if (common.length === 0 || (common.length < seen.length && common.length < shown.length)) {
    problems.push(
      `cameras ${shown.join(", ") || "(none)"} are not those of the policy, ${seen.join(", ") || "(none)"}`,
    );
  }
  if (problems.length > 0) {
    throw new DatasetError(
      `train: the dataset ${metadata.repoId ?? metadata.root} does not fit the policy: ${problems.join("; ")}.\n` +
        `  dataset: ${describe(offered)}\n  policy:  ${describe(wanted)}\n` +
        'Use --rename_map=\'{"name in the dataset": "name in the policy"}\' where only names differ',
    );
  }
  return seen
    .filter((name) => !common.includes(name))
    .map((name) => `the dataset has no camera "${name}", which the policy knows: it is left out of the prefix`);
}

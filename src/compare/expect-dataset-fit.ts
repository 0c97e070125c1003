import type { DatasetMetadata } from "../data/index.js";
import { featuresFromDataset, imageFeatureNames } from "../smolvla/config.js";
import { DatasetError } from "../support/errors.js";
import type { NamedConfig } from "./expect-equal-chunks.js";

/**
 * Whether a policy can look at a dataset: state and action of its sizes, at least one of its cameras.
 *
 * @param renameMap dataset name -> policy name, from the policy's own processors
 * @returns cameras that the policy looks at and the dataset lacks, beyond its empty ones
 * @throws DatasetError naming policy and dataset, with everything that does not fit
 */
export function expectDatasetFit(
  { name, config }: NamedConfig,
  metadata: DatasetMetadata,
  renameMap: Readonly<Record<string, string>>,
): readonly string[] {
  const own = featuresFromDataset(Object.fromEntries(metadata.features.entries()));
  const offered = new Map(Object.entries(own).map(([key, feature]) => [renameMap[key] ?? key, feature]));
  const wanted = { ...config.inputFeatures, ...config.outputFeatures };
  const sizes = ["observation.state", "action"].flatMap((key) => {
    const [has, wants] = [offered.get(key)?.shape, wanted[key]?.shape];
    if (has?.join() === wants?.join()) return [];
    return [
      `${key}: the policy has [${wants?.join(", ") ?? "nothing"}], the dataset [${has?.join(", ") ?? "nothing"}]`,
    ];
  });
  const seen = imageFeatureNames(config);
  const shown = [...offered].filter(([, { type }]) => type === "VISUAL").map(([key]) => key);
  const missing = seen.filter((key) => !shown.includes(key));
  const cameras =
    missing.length < seen.length
      ? []
      : [`cameras: the policy looks at ${seen.join(", ") || "none"}, the dataset has ${shown.join(", ") || "none"}`];
  const problems = [...cameras, ...sizes];
  if (problems.length === 0) return missing.length > config.emptyCameras ? missing : [];
  throw new DatasetError(
    `compare: expected a dataset for policy "${name}", got ${metadata.repoId ?? metadata.root}, which does not fit:\n` +
      problems.map((problem) => `  - ${problem}`).join("\n"),
  );
}

import { CheckpointError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import { bytesOf } from "../../support/host-array.js";
import { readSafetensors } from "../../support/safetensors.js";
import type { Statistics } from "../processors/pipeline.js";
import { toFloat32 } from "../processors/statistics.js";
import { type Normalizer, parseStatisticName } from "./stored-names.js";

/** The statistics that a weights file holds for a policy's features. */
export interface StoredStatistics {
  /** what the old policy normalised with: observations, and the actions it was trained on */
  readonly forward: Statistics;
  /** what it turned its actions back with */
  readonly backward: Statistics;
  /** what was decided on the way, as sentences */
  readonly remarks: readonly string[];
}

type FeatureStatistics = ReadonlyMap<string, HostArray>;
/** Statistics of one feature in one module, by the kind of dataset they are of. */
type ByTag = Map<string | undefined, Map<string, HostArray>>;

/**
 * Takes the statistics out of a weights file.
 *
 * Features are recognised among the policy's own, so that names with underscores of their own come out right. Where
 * statistics are tagged with kinds of datasets, as in base policies, an untagged one is preferred and tagged ones are taken
 * only if they are all the same; else the feature is left without.
 *
 * @param features names of the policy's inputs and outputs
 * @throws CheckpointError for a damaged file, statistics that are not float32, or features that the file cannot tell apart
 */
export async function readStoredStatistics(
  path: string,
  stored: readonly string[],
  features: readonly string[],
): Promise<StoredStatistics> {
  const remarks: string[] = [];
  const featureOf = flatNames(features, path);
  const found = new Map<Normalizer, Map<string, ByTag>>();
  const strangers = new Set<string>();
  const wanted = stored.filter((name) => parseStatisticName(name) !== undefined);
  for (const [name, array] of await readSafetensors(path, wanted)) {
    const { normalizer, tag, flatFeature, stat } = parseStatisticName(name)!;
    const feature = featureOf.get(flatFeature);
    if (feature === undefined) {
      strangers.add(flatFeature);
      continue;
    }
    const ofFeature = getOrAdd(
      getOrAdd(found, normalizer, () => new Map<string, ByTag>()),
      feature,
      () => new Map(),
    );
    getOrAdd(ofFeature, tag, () => new Map<string, HostArray>()).set(stat, float32(array, `${path}: tensor "${name}"`));
  }
  if (strangers.size > 0) {
    remarks.push(`statistics of ${[...strangers].join(", ")} were left out: config.json has no such feature`);
  }
  const chosen = new Map(
    [...found].map(([normalizer, byFeature]) => [normalizer, chooseTags(byFeature, remarks)] as const),
  );
  const merge = (...order: readonly Normalizer[]): Statistics =>
    new Map(order.flatMap((normalizer) => [...(chosen.get(normalizer) ?? [])]));
  // The last of several entries for a feature counts.
  const forward = merge("unnormalize_targets", "unnormalize_outputs", "normalize_targets", "normalize_inputs");
  const backward = merge("normalize_inputs", "normalize_targets", "unnormalize_targets", "unnormalize_outputs");
  for (const [feature, statistics] of forward) {
    if (areEqual(statistics, backward.get(feature)!)) continue;
    remarks.push(`${feature} is turned back with other statistics than it is normalised with, as the old policy did`);
  }
  return { forward, backward, remarks: [...new Set(remarks)] };
}

/** Feature by its name in a weights file. */
function flatNames(features: readonly string[], path: string): ReadonlyMap<string, string> {
  const byFlatName = new Map<string, string>();
  for (const feature of features) {
    const flat = feature.replaceAll(".", "_");
    const other = byFlatName.get(flat);
    if (other !== undefined) {
      throw new CheckpointError(
        `${path}: expected features whose names differ in more than dots and underscores, got "${other}" and "${feature}": ` +
          "whose the statistics are cannot be told",
      );
    }
    byFlatName.set(flat, feature);
  }
  return byFlatName;
}

function chooseTags(byFeature: ReadonlyMap<string, ByTag>, remarks: string[]): ReadonlyMap<string, FeatureStatistics> {
  const chosen = new Map<string, FeatureStatistics>();
  for (const [feature, byTag] of byFeature) {
    const untagged = byTag.get(undefined);
    if (untagged !== undefined) {
      chosen.set(feature, untagged);
      continue;
    }
    const tags = [...byTag.keys()].sort().join(", ");
    const [first, ...others] = byTag.values();
    if (first !== undefined && others.every((other) => areEqual(first, other))) {
      chosen.set(feature, first);
      remarks.push(`the statistics of ${feature} are those of ${tags}, the only ones there are`);
    } else {
      remarks.push(`the statistics of ${feature} are of several kinds of datasets (${tags}), so none of them is used`);
    }
  }
  return chosen;
}

function areEqual(a: FeatureStatistics, b: FeatureStatistics): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([stat, array]) => {
    const other = b.get(stat);
    return (
      other !== undefined &&
      array.shape.join() === other.shape.join() &&
      Buffer.compare(bytesOf(array), bytesOf(other)) === 0
    );
  });
}

function float32(array: HostArray, where: string): HostArray {
  if (array.dtype === "float32" || array.dtype === "float64") return toFloat32(array);
  throw new CheckpointError(`${where}: expected float32, got ${array.dtype}`);
}

function getOrAdd<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

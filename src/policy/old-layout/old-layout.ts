/** Policy folders of LeRobot up to 0.3, which keep their normalisation among the weights, read as those of 0.4 are. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { FEATURE_TYPES, type FeatureType, type NormalizationMode } from "../../smolvla/config.js";
import { CONFIG_SCHEMA } from "../../smolvla/config-schema.js";
import { WEIGHTS_FILE } from "../../smolvla/load.js";
import { isUserError } from "../../support/errors.js";
import { readSafetensorsHeader } from "../../support/safetensors.js";
import { neededStatistics } from "../processors/normalization.js";
import { PIPELINE_NAMES } from "../processors/pipeline.js";
import { parseStatisticName } from "./stored-names.js";

type Json = Readonly<Record<string, unknown>>;

/** An old folder's files as LeRobot 0.4 would have written them, and what was changed to get there. */
export interface OldLayout {
  /** of `config.json`, with the keys of 0.4 */
  readonly json: Json;
  readonly remarks: readonly string[];
  /** names of the tensors in the weights file */
  readonly storedNames: readonly string[];
}

/**
 * What an old folder's configuration is now; undefined for a folder in today's layout, or in none that is known.
 *
 * A folder is an old one if it has neither processor and its weights file holds statistics of normalisation, or none are
 * needed. Keys that LeRobot does not know any more are left out. Without `normalization_mapping` the modes are those whose
 * statistics are there.
 *
 * @param json content of the folder's `config.json`
 */
export async function readOldLayout(folder: string, json: unknown): Promise<OldLayout | undefined> {
  if (typeof json !== "object" || json === null) return undefined;
  if (PIPELINE_NAMES.some((name) => existsSync(join(folder, `${name}.json`)))) return undefined;
  const storedNames = await storedNamesIn(join(folder, WEIGHTS_FILE));
  if (storedNames === undefined) return undefined;
  const statistics = storedNames.flatMap((name) => parseStatisticName(name) ?? []);
  if (statistics.length === 0 && needsStatistics(json as Json)) return undefined;
  const known = Object.entries(json).filter(([key]) => key in CONFIG_SCHEMA.shape);
  const migrated: Record<string, unknown> = Object.fromEntries(known);
  const remarks: string[] = [];
  const dropped = Object.keys(json).filter((key) => !(key in migrated));
  if (dropped.length > 0) {
    remarks.push(`config.json: LeRobot 0.4.4 does not know ${dropped.join(", ")}; left out, without effect`);
  }
  if (!("normalization_mapping" in migrated)) {
    const modes = modesOf(json as Json, statistics);
    migrated.normalization_mapping = modes;
    const listed = Object.entries(modes).map(([type, mode]) => `${type} ${mode}`);
    remarks.push(
      `config.json has no normalization_mapping; by the statistics that are there it is ${listed.join(", ")}`,
    );
  }
  return { json: migrated, remarks, storedNames };
}

/** Names in a weights file; undefined if it cannot be read, which whoever loads it reports. */
async function storedNamesIn(path: string): Promise<readonly string[] | undefined> {
  try {
    return [...(await readSafetensorsHeader(path)).entries.keys()];
  } catch (error) {
    if (isUserError(error)) return undefined;
    throw error;
  }
}

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;

/** Types of a configuration's features, by name; entries of another form are for the configuration's parser to refuse. */
function featureTypes(json: Json): ReadonlyMap<string, unknown> {
  const features = [json.input_features, json.output_features].filter(isObject);
  return new Map(
    features.flatMap(Object.entries).map(([name, entry]) => [name, isObject(entry) ? entry.type : undefined]),
  );
}

function needsStatistics(json: Json): boolean {
  const mapping = json.normalization_mapping ?? CONFIG_SCHEMA.shape.normalization_mapping.parse(undefined);
  if (!isObject(mapping)) return true;
  return [...featureTypes(json).values()].some((type) => (mapping[String(type)] ?? "IDENTITY") !== "IDENTITY");
}

/** The modes that the statistics of each type of feature are good for. */
function modesOf(
  json: Json,
  statistics: readonly { readonly flatFeature: string; readonly stat: string }[],
): Partial<Record<FeatureType, NormalizationMode>> {
  const modes: Partial<Record<FeatureType, NormalizationMode>> = { VISUAL: "IDENTITY" };
  for (const [name, type] of featureTypes(json)) {
    const flat = name.replaceAll(".", "_");
    const stats = new Set(statistics.filter(({ flatFeature }) => flatFeature === flat).map(({ stat }) => stat));
    const mode = (["MEAN_STD", "MIN_MAX"] as const).find((candidate) =>
      neededStatistics(candidate).every((stat) => stats.has(stat)),
    );
    const known = FEATURE_TYPES.find((candidate) => candidate === type);
    if (known === undefined) continue;
    if (mode !== undefined || modes[known] === undefined) modes[known] = mode ?? "IDENTITY";
  }
  return modes;
}

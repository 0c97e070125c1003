import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ComparedPolicy, NamedConfig } from "../compare/index.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { readPolicyConfig } from "../policy/policy-files.js";
import { loadProcessorPipeline } from "../policy/processors/load-pipeline.js";
import { observationRenames } from "../policy/processors/pipeline.js";
import { readProvenance } from "../policy/provenance.js";
import { ConfigError } from "../support/errors.js";
import type { PolicyPlace } from "./compare-settings.js";

/** A policy that was found, without its weights. */
export interface FoundPolicy extends NamedConfig {
  readonly policy: ComparedPolicy;
  /** dataset's or world's name -> policy's name, from its own processors */
  readonly renameMap: Readonly<Record<string, string>>;
  /** SHA-256 of its weights, configuration and processors */
  readonly contentHash: string;
}

/**
 * Finds policies and gives each a name: the given one, or what its folder is called.
 *
 * @throws CheckpointError or HubError for what is no policy, ConfigError for two of one name
 */
export async function findPolicies(places: readonly PolicyPlace[]): Promise<readonly FoundPolicy[]> {
  const folders: string[] = [];
  for (const { nameOrPath } of places) folders.push(resolve(await findPolicyFolder(nameOrPath)));
  const names = namesOf(places, folders);
  return await Promise.all(
    folders.map(async (folder, i): Promise<FoundPolicy> => {
      const provenance = await readProvenance(folder);
      const name = names[i]!;
      const isDistilled = provenance?.distilled === true;
      return {
        name,
        config: await readPolicyConfig(folder),
        renameMap: await renameMapOf(folder),
        policy: { name, folder, round: provenance?.k ?? 1, isDistilled, ...(provenance ? { provenance } : {}) },
        contentHash: await contentHashOf(folder),
      };
    }),
  );
}

function namesOf(places: readonly PolicyPlace[], folders: readonly string[]): readonly string[] {
  const names: string[] = [];
  for (const [i, { name, nameOrPath }] of places.entries()) {
    if (name !== undefined && places.findIndex((other) => other.name === name) < i) {
      throw new ConfigError("comparison settings at policies", `expected different names, got "${name}" twice`);
    }
    const isTaken = (candidate: string): boolean =>
      names.includes(candidate) || places.some((other, j) => j !== i && other.name === candidate);
    const own = name ?? nameOf(nameOrPath, folders[i]!);
    let unique = own;
    for (let n = 2; name === undefined && isTaken(unique); n++) unique = `${own}-${n}`;
    names.push(unique);
  }
  return names;
}

/** `RUN` for a run's last checkpoint, `RUN-000100` for another, else the last part of the name. */
function nameOf(nameOrPath: string, folder: string): string {
  const path = basename(folder) === "pretrained_model" ? dirname(folder) : folder;
  if (basename(dirname(path)) === "checkpoints") {
    const run = basename(dirname(dirname(path)));
    return basename(path) === "last" ? run : `${run}-${basename(path)}`;
  }
  // A folder of the Hub's cache is called by a commit.
  return /^[0-9a-f]{40}$/.test(basename(path)) ? basename(nameOrPath) : basename(path);
}

/** Folders of LeRobot up to 0.3 have no processors, and rename nothing. */
const renameMapOf = async (folder: string): Promise<Readonly<Record<string, string>>> =>
  existsSync(join(folder, "policy_preprocessor.json"))
    ? observationRenames(await loadProcessorPipeline(folder, "policy_preprocessor"))
    : {};

/** Changes with anything that a policy computes with. */
async function contentHashOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  const names = (await readdir(folder)).filter((name) => /\.(safetensors|json)$/.test(name)).sort();
  for (const name of names) {
    hash.update(`${name}\n`);
    await pipeline(createReadStream(join(folder, name), { highWaterMark: 1 << 20 }), hash, { end: false });
  }
  return hash.digest("hex");
}

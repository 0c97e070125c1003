import { join } from "node:path";
import { z } from "zod";
import type { RecordingRequest } from "../rollout/index.js";
import { ConfigError } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { camelKeys } from "../train/config-keys.js";
import { readSettings } from "./overrides.js";

const SCHEMA = z.strictObject({
  env: z.looseObject({ type: z.string().min(1) }),
  episodes: z.int().min(1).default(96),
  seed: z.int().min(0).default(0),
  output: z.string().min(1).nullable().default(null),
  overwrite: z.boolean().default(false),
});

/** What `reflow make-dataset` was asked for. @throws ConfigError naming everything that is wrong */
export async function readDatasetSettings(args: readonly string[]): Promise<RecordingRequest> {
  const { settings } = await readSettings(args);
  const { env, episodes, seed, output, overwrite } = parseWithSchema(SCHEMA, settings, "dataset settings");
  if (seed > Number.MAX_SAFE_INTEGER - (episodes - 1)) {
    throw new ConfigError("dataset settings", [
      { path: "seed", message: `expected one that leaves room for ${episodes} seeds below 2^53, got ${seed}` },
    ]);
  }
  const { type, ...options } = env;
  return {
    type,
    options: camelKeys(options) as Readonly<Record<string, unknown>>,
    numEpisodes: episodes,
    seed,
    root: output ?? join("outputs", "datasets", type),
    overwrite,
  };
}

import { readFile } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { z } from "zod";
import { CheckpointError } from "../../support/errors.js";
import { didYouMean } from "../../support/nearest-name.js";
import { parseWithSchema } from "../../support/parse-with-schema.js";
import { readJson } from "../../support/read-json.js";
import type { PipelineName, ProcessorPipeline, ProcessorStep } from "./pipeline.js";
import { readStatistics } from "./statistics.js";
import { STEP_CLASSES, STEP_CONFIGS, type StepConfig, SUPPORTED_STEPS } from "./step-json.js";

const FILE_SCHEMA = z.looseObject({
  steps: z.array(
    z.strictObject({
      registry_name: z.string().optional(),
      class: z.string().optional(),
      config: z.record(z.string(), z.unknown()).default({}),
      state_file: z.string().nullish(),
      artifacts: z.record(z.string(), z.string()).nullish(),
    }),
  ),
});
type StepEntry = z.infer<typeof FILE_SCHEMA>["steps"][number];

/**
 * A policy's pipeline: `NAME.json` in its folder and the state files that it names.
 *
 * Reads the form of LeRobot 0.4 and the later one that keeps the tokenizer in the folder (`artifacts`). A normalisation
 * step without a state file does nothing in LeRobot; it is loaded as such, and `missingStatistics` reports it.
 *
 * @throws CheckpointError for missing or damaged files, steps that are not supported and files outside the folder
 * @throws ConfigError for settings of steps that are unknown or wrong, all at once
 */
export async function loadProcessorPipeline(folder: string, name: PipelineName): Promise<ProcessorPipeline> {
  const path = join(folder, `${name}.json`);
  const json = await readJson(
    path,
    "A policy saved before LeRobot 0.4 keeps its normalisation elsewhere, among its weights, but this folder holds no such policy",
  );
  const { steps } = parseWithSchema(FILE_SCHEMA, json, path);
  const loaded: ProcessorStep[] = [];
  for (const [index, entry] of steps.entries()) {
    loaded.push(await loadStep(folder, `${path} at steps.${index}`, kindOf(path, index, entry, name), entry));
  }
  return { name, steps: loaded };
}

function kindOf(path: string, index: number, entry: StepEntry, pipeline: PipelineName): ProcessorStep["kind"] {
  const className = entry.class?.slice(entry.class.lastIndexOf(".") + 1) ?? "";
  const name = entry.registry_name ?? STEP_CLASSES[className] ?? entry.class;
  const supported = SUPPORTED_STEPS[pipeline];
  const kind = supported.find((candidate) => candidate === name);
  if (kind !== undefined) return kind;
  const got = name === undefined ? "no registry_name and no class" : `"${name}"`;
  throw new CheckpointError(
    `${path} at steps.${index}: expected one of ${supported.join(", ")}, got ${got}${name ? didYouMean(name, supported) : ""}`,
  );
}

/** @throws CheckpointError if a name in the file leads out of the folder */
function pathInside(folder: string, name: string, where: string): string {
  const path = resolve(folder, name);
  const fromFolder = relative(resolve(folder), path);
  if (isAbsolute(name) || fromFolder.startsWith("..") || fromFolder === "") {
    throw new CheckpointError(`${where}: expected the name of a file inside the policy's folder, got "${name}"`);
  }
  return path;
}

async function loadStep(
  folder: string,
  where: string,
  kind: ProcessorStep["kind"],
  entry: StepEntry,
): Promise<ProcessorStep> {
  const configOf = <Kind extends ProcessorStep["kind"]>(of: Kind): StepConfig<Kind> =>
    parseWithSchema(STEP_CONFIGS[of] as unknown as z.ZodType<StepConfig<Kind>>, entry.config, `${where}.config`);
  switch (kind) {
    case "rename_observations_processor":
      return { kind, renameMap: configOf(kind).rename_map };
    case "to_batch_processor":
    case "smolvla_new_line_processor":
      configOf(kind);
      return { kind };
    case "tokenizer_processor": {
      const config = configOf(kind);
      const artifact = entry.artifacts?.tokenizer_name;
      return {
        kind,
        tokenizerName:
          artifact === undefined ? config.tokenizer_name : await nameFromPolicy(folder, config.tokenizer_name),
        tokenizerFolder: artifact === undefined ? undefined : pathInside(folder, artifact, where),
        maxLength: config.max_length,
        padding: config.padding,
        paddingSide: config.padding_side,
        truncation: config.truncation,
      };
    }
    case "device_processor": {
      const config = configOf(kind);
      return { kind, device: config.device, floatDtype: config.float_dtype ? "float32" : undefined };
    }
    case "normalizer_processor":
    case "unnormalizer_processor": {
      const config = configOf(kind);
      return {
        kind,
        eps: config.eps,
        features: config.features,
        normMap: config.norm_map,
        normalizeObservationKeys: config.normalize_observation_keys ?? undefined,
        statistics: entry.state_file ? await readStatistics(pathInside(folder, entry.state_file, where)) : new Map(),
      };
    }
  }
}

/**
 * The name of a tokenizer that was saved with the policy: the step says only in which subfolder it lies, so the name under
 * which others find it is the policy's `vlm_model_name`.
 */
async function nameFromPolicy(folder: string, fallback: string): Promise<string> {
  try {
    const config: unknown = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
    const name = (config as { vlm_model_name?: unknown } | null)?.vlm_model_name;
    return typeof name === "string" ? name : fallback;
  } catch {
    return fallback;
  }
}

/** What a policy folder names but does not hold: the vision-language model's configuration, and the tokenizer. */
import { dirname, join } from "node:path";
import { resolveFolder } from "../hub/resolve-folder.js";
import type { SmolVLAConfig } from "../smolvla/config.js";
import { parseVlmConfig, SMOLVLM2_500M, SMOLVLM2_500M_NAME, type VlmConfig } from "../smolvla/vlm-config.js";
import { HubError } from "../support/errors.js";
import { readJson } from "../support/read-json.js";
import { type ProcessorPipelines, tokenizerStepOf } from "./processors/pipeline.js";
import { readProvenance } from "./provenance.js";
import { type LanguageTokenizer, loadTokenizer } from "./tokenizer.js";

export interface PolicyResources {
  readonly vlmConfig: VlmConfig;
  readonly tokenizer: LanguageTokenizer;
  /** where the tokenizer was found */
  readonly tokenizerFolder: string;
}

const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json"];

/** The geometry of a policy's vision-language model. The published 500M model's is known without its file. */
export async function findVlmConfig(name: string, besides: readonly string[]): Promise<VlmConfig> {
  try {
    const folder = await resolveFolder({ nameOrPath: name, kind: "model", besides, files: ["config.json"] });
    const path = join(folder, "config.json");
    return parseVlmConfig(await readJson(path), path);
  } catch (error) {
    if (name === SMOLVLM2_500M_NAME && error instanceof HubError) return SMOLVLM2_500M;
    throw error;
  }
}

/** The folder of the tokenizer that a policy's pre-processor names, or the vision-language model's if it names none. */
export async function findTokenizerFolder(
  config: SmolVLAConfig,
  processors: ProcessorPipelines,
  besides: readonly string[],
): Promise<string> {
  const step = tokenizerStepOf(processors.preprocessor);
  if (step?.tokenizerFolder !== undefined) return step.tokenizerFolder;
  const nameOrPath = step?.tokenizerName ?? config.vlmModelName;
  return resolveFolder({ nameOrPath, kind: "model", besides, files: TOKENIZER_FILES });
}

/** Relative names are looked up in the working directory, then in each of `besides`, then on the Hub. */
export async function findPolicyResources(
  config: SmolVLAConfig,
  processors: ProcessorPipelines,
  besides: readonly string[],
): Promise<PolicyResources> {
  const tokenizerFolder = await findTokenizerFolder(config, processors, besides);
  return {
    vlmConfig: await findVlmConfig(config.vlmModelName, besides),
    tokenizer: await loadTokenizer(tokenizerFolder),
    tokenizerFolder,
  };
}

/**
 * Where the relative names of a policy folder may lie: beside the folder, and wherever its teacher's were found, if it
 * was made by this program.
 */
export async function resourceFoldersOf(folder: string): Promise<string[]> {
  const provenance = await readProvenance(folder);
  return [dirname(folder), ...(provenance?.resourceFolders ?? [])];
}

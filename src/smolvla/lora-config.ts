/** PEFT's `adapter_config.json`, as far as it says something about a LoRA adapter of this network. */
import { z } from "zod";
import { ConfigError, type ConfigProblem } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { PythonFloat, stringifyAsPython } from "../support/python-json.js";

export const ADAPTER_CONFIG_FILE = "adapter_config.json";

/** Which linear layers are corrected, and by how much at most. Names of layers are those of the published checkpoint. */
export interface LoraConfig {
  /** of the correction; 32 on all of the expert's layers has 7 % of the expert's parameters */
  readonly rank: number;
  /** the correction is scaled by `alpha / rank`, or by `alpha / sqrt(rank)` with `useRslora` */
  readonly alpha: number;
  readonly useRslora: boolean;
  /** a regular expression that a layer's whole name matches, or names, each of a layer or the end of one after a dot */
  readonly targetModules: string | readonly string[];
  /** ends of names of modules that are trained and saved as a whole */
  readonly modulesToSave: readonly string[];
}

/** Every linear layer of the expert: attention and MLP. */
export const EXPERT_TARGETS = String.raw`model\.vlm_with_expert\.lm_expert\..*\.(q|k|v|o|gate|up|down)_proj`;

/** What LeRobot adapts when it is told nothing: queries and values of the expert, and the five projections. */
export const LEROBOT_TARGETS =
  String.raw`(model\.vlm_with_expert\.lm_expert\..*\.(q|v)_proj|model\.(state_proj|action_in_proj|action_out_proj|` +
  "action_time_mlp_in|action_time_mlp_out))";

/** On attention and MLP of the expert, the one LoRA recipe with a published one-step SmolVLA (rank 32). */
export const DEFAULT_LORA: LoraConfig = {
  rank: 32,
  alpha: 32,
  useRslora: false,
  targetModules: EXPERT_TARGETS,
  modulesToSave: [],
};

/** What the correction is multiplied by. */
export const loraScaling = ({ alpha, rank, useRslora }: LoraConfig): number =>
  alpha / (useRslora ? Math.sqrt(rank) : rank);

const SCHEMA = z.looseObject({
  peft_type: z.literal("LORA"),
  r: z.int().min(1),
  lora_alpha: z.number(),
  use_rslora: z.boolean().default(false),
  target_modules: z.union([z.string().min(1), z.array(z.string()).min(1)]),
  modules_to_save: z.array(z.string()).nullish(),
  base_model_name_or_path: z.string().nullish(),
});

/** Keys without influence on what a trained adapter computes. */
const WITHOUT_EFFECT = new Set([
  "auto_mapping",
  "inference_mode",
  "lora_dropout",
  "megatron_core",
  "peft_version",
  "qalora_group_size",
  "revision",
  "task_type",
]);
/** Initial laws that only choose A and B; all others also change the weights that are adapted. */
const HARMLESS_INITIAL_LAWS = [true, false, "gaussian", "orthogonal", "eva"];
const HOW_TO_MERGE = "Merge it in Python (peft's merge_and_unload) and load the merged policy";

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === false ||
  value === "none" ||
  (typeof value === "object" && Object.keys(value).length === 0);

/** Options of PEFT that are switched on and would change what is computed. */
function unavailable(json: Readonly<Record<string, unknown>>): ConfigProblem[] {
  return Object.entries(json).flatMap(([path, value]): ConfigProblem[] => {
    if (path in SCHEMA.shape || WITHOUT_EFFECT.has(path)) return [];
    const isKnown = path === "init_lora_weights" ? HARMLESS_INITIAL_LAWS.includes(value as boolean) : isEmpty(value);
    if (isKnown) return [];
    return [
      { path, message: `expected it switched off, got ${JSON.stringify(value)}: not available. ${HOW_TO_MERGE}` },
    ];
  });
}

/**
 * The content of an `adapter_config.json`.
 *
 * @param where names the file
 * @throws ConfigError with everything that is wrong, and every option that is not available here
 */
export function parseLoraConfig(json: unknown, where: string): { config: LoraConfig; base: string | undefined } {
  const parsed = parseWithSchema(SCHEMA, json, where);
  const problems = unavailable(parsed);
  if (parsed.target_modules === "all-linear") {
    problems.push({ path: "target_modules", message: 'expected names of layers, got "all-linear"' });
  }
  if (problems.length > 0) throw new ConfigError(where, problems);
  return {
    config: {
      rank: parsed.r,
      alpha: parsed.lora_alpha,
      useRslora: parsed.use_rslora,
      targetModules: parsed.target_modules,
      modulesToSave: parsed.modules_to_save ?? [],
    },
    base: parsed.base_model_name_or_path ?? undefined,
  };
}

/**
 * The text of an `adapter_config.json` as PEFT writes it: sorted keys, and all of those that every version since 0.6 knows.
 *
 * @param base folder or Hub id of the policy that is adapted
 */
export const toLoraJson = (config: LoraConfig, base: string | undefined): string =>
  stringifyAsPython(
    {
      alpha_pattern: {},
      auto_mapping: {
        base_model_class: "SmolVLAPolicy",
        parent_library: "lerobot.policies.smolvla.modeling_smolvla",
      },
      base_model_name_or_path: base ?? null,
      bias: "none",
      fan_in_fan_out: false,
      inference_mode: true,
      init_lora_weights: true,
      layers_pattern: null,
      layers_to_transform: null,
      lora_alpha: config.alpha,
      lora_dropout: new PythonFloat(0),
      modules_to_save: config.modulesToSave.length === 0 ? null : config.modulesToSave,
      peft_type: "LORA",
      r: config.rank,
      rank_pattern: {},
      revision: null,
      target_modules: config.targetModules,
      task_type: null,
      use_rslora: config.useRslora,
    },
    2,
  );

import { z } from "zod";
import { FEATURE_TYPES, NORMALIZATION_MODES } from "../../smolvla/config.js";
import { PythonFloat } from "../../support/python-json.js";
import type { PipelineName, ProcessorStep } from "./pipeline.js";

/** How each step is written in a pipeline's JSON file: the constructor arguments of LeRobot's step of that name. */

const normalization = z.strictObject({
  eps: z.number().gt(0).default(1e-8),
  features: z.record(z.string(), z.strictObject({ type: z.enum(FEATURE_TYPES), shape: z.array(z.int().min(0)) })),
  norm_map: z.partialRecord(z.enum(FEATURE_TYPES), z.enum(NORMALIZATION_MODES)),
  normalize_observation_keys: z.array(z.string()).nullish(),
});

export const STEP_CONFIGS = {
  rename_observations_processor: z.strictObject({ rename_map: z.record(z.string(), z.string()).default({}) }),
  to_batch_processor: z.strictObject({}),
  smolvla_new_line_processor: z.strictObject({}),
  tokenizer_processor: z.strictObject({
    max_length: z.int().min(1).max(8192).default(512),
    task_key: z.literal("task").default("task"),
    padding_side: z.enum(["left", "right"]).default("right"),
    padding: z.enum(["longest", "max_length"]).default("max_length"),
    truncation: z.boolean().default(true),
    tokenizer_name: z.string().min(1),
  }),
  device_processor: z.strictObject({
    device: z.string().min(1).default("cpu"),
    float_dtype: z.enum(["float32", "float"]).nullish(),
  }),
  normalizer_processor: normalization,
  unnormalizer_processor: normalization,
} satisfies Record<ProcessorStep["kind"], z.ZodType>;

export type StepConfig<Kind extends ProcessorStep["kind"]> = z.infer<(typeof STEP_CONFIGS)[Kind]>;

/** LeRobot's class names, for files that name a step by its class instead of its registry name. */
export const STEP_CLASSES: Readonly<Record<string, ProcessorStep["kind"]>> = {
  RenameObservationsProcessorStep: "rename_observations_processor",
  AddBatchDimensionProcessorStep: "to_batch_processor",
  SmolVLANewLineProcessor: "smolvla_new_line_processor",
  TokenizerProcessorStep: "tokenizer_processor",
  DeviceProcessorStep: "device_processor",
  NormalizerProcessorStep: "normalizer_processor",
  UnnormalizerProcessorStep: "unnormalizer_processor",
};

/** The steps that can stand in a pipeline; after the network there are actions only, no observations and no tasks. */
export const SUPPORTED_STEPS: Readonly<Record<PipelineName, readonly ProcessorStep["kind"][]>> = {
  policy_preprocessor: Object.values(STEP_CLASSES),
  policy_postprocessor: ["to_batch_processor", "device_processor", "normalizer_processor", "unnormalizer_processor"],
};

/** A step's `config` in the file, keys in LeRobot's order. */
export function stepConfigJson(step: ProcessorStep): Record<string, unknown> {
  switch (step.kind) {
    case "rename_observations_processor":
      return { rename_map: step.renameMap };
    case "to_batch_processor":
    case "smolvla_new_line_processor":
      return {};
    case "tokenizer_processor":
      return {
        max_length: step.maxLength,
        task_key: "task",
        padding_side: step.paddingSide,
        padding: step.padding,
        truncation: step.truncation,
        tokenizer_name: step.tokenizerName,
      };
    case "device_processor":
      return { device: step.device, float_dtype: step.floatDtype ?? null };
    case "normalizer_processor":
    case "unnormalizer_processor":
      return {
        eps: new PythonFloat(step.eps),
        features: step.features,
        norm_map: step.normMap,
        normalize_observation_keys: step.normalizeObservationKeys && [...step.normalizeObservationKeys].sort(),
      };
  }
}

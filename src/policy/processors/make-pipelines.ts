import type { SmolVLAConfig } from "../../smolvla/config.js";
import type { ProcessorPipelines, Statistics } from "./pipeline.js";
import { float32Statistics } from "./statistics.js";

/**
 * The pipelines that LeRobot gives a fresh SmolVLA policy: before the network rename, batch, newline, tokenise, move,
 * normalise; after it un-normalise and move back.
 *
 * @param statistics of the dataset that the policy is trained on
 */
export function makeProcessorPipelines(config: SmolVLAConfig, statistics: Statistics): ProcessorPipelines {
  const normalization = {
    eps: 1e-8,
    normMap: config.normalizationMapping,
    normalizeObservationKeys: undefined,
    statistics: float32Statistics(statistics),
  };
  return {
    preprocessor: {
      name: "policy_preprocessor",
      steps: [
        { kind: "rename_observations_processor", renameMap: {} },
        { kind: "to_batch_processor" },
        { kind: "smolvla_new_line_processor" },
        {
          kind: "tokenizer_processor",
          tokenizerName: config.vlmModelName,
          tokenizerFolder: undefined,
          maxLength: config.tokenizerMaxLength,
          padding: config.padLanguageTo,
          paddingSide: "right",
          truncation: true,
        },
        { kind: "device_processor", device: config.device ?? "cpu", floatDtype: undefined },
        {
          kind: "normalizer_processor",
          ...normalization,
          features: { ...config.inputFeatures, ...config.outputFeatures },
        },
      ],
    },
    postprocessor: {
      name: "policy_postprocessor",
      steps: [
        { kind: "unnormalizer_processor", ...normalization, features: config.outputFeatures },
        { kind: "device_processor", device: "cpu", floatDtype: undefined },
      ],
    },
  };
}

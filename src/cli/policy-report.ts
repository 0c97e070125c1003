/** The report of `reflow inspect`, for people and for machines. */
import type { FeatureReport, PolicyReport } from "../policy/inspect-policy.js";
import type { WeightsReport } from "../policy/inspect-weights.js";
import type { ProcessorPipeline, ProcessorStep } from "../policy/processors/pipeline.js";
import type { Provenance } from "../policy/provenance.js";
import type { SmolVLAConfig } from "../smolvla/config.js";
import { formatTable } from "./table.js";

/** The settings that decide what a policy is, does and trains, under LeRobot's names. */
const settingsOf = (config: SmolVLAConfig): Readonly<Record<string, unknown>> => ({
  chunk_size: config.chunkSize,
  n_action_steps: config.nActionSteps,
  num_steps: config.numSteps,
  max_action_dim: config.maxActionDim,
  max_state_dim: config.maxStateDim,
  resize_imgs_with_padding: config.resizeImgsWithPadding ?? null,
  empty_cameras: config.emptyCameras,
  adapt_to_pi_aloha: config.adaptToPiAloha,
  tokenizer_max_length: config.tokenizerMaxLength,
  pad_language_to: config.padLanguageTo,
  vlm_model_name: config.vlmModelName,
  num_vlm_layers: config.numVlmLayers ?? null,
  self_attn_every_n_layers: config.selfAttnEveryNLayers ?? null,
  expert_width_multiplier: config.expertWidthMultiplier,
  attention_mode: config.attentionMode,
  train_expert_only: config.trainExpertOnly,
  freeze_vision_encoder: config.freezeVisionEncoder,
  train_state_proj: config.trainStateProj,
});

const count = (value: number): string => value.toLocaleString("en-US");
const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
const NOT_RECORDED = "not recorded";

/** Lines of text under headings, for a terminal. */
export function formatPolicyReport(report: PolicyReport): string {
  const { config, weights, provenance } = report;
  const sections: [title: string, body: string][] = [
    ["Policy", formatTable([["folder", report.folder], ["type", "smolvla"], ...flowRows(provenance)])],
    ["Parameters", weights === undefined ? "the weights cannot be read" : formatWeights(weights, config)],
    ["Features", formatFeatures(report.features)],
    ["Settings", formatTable(Object.entries(settingsOf(config)).map(([name, value]) => [name, settingText(value)]))],
    ["Processors", report.processors.map(formatPipeline).join("\n")],
    ["Warnings", report.warnings.map((warning) => `- ${warning}`).join("\n")],
    ["Faults", report.faults.map((fault) => `- ${fault}`).join("\n")],
  ];
  return sections
    .filter(([, body]) => body !== "")
    .map(([title, body]) => `${title}\n${body.replaceAll(/^(?=.)/gm, "  ")}`)
    .join("\n\n");
}

const settingText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function flowRows(provenance: Provenance | undefined): (readonly [string, string])[] {
  if (provenance === undefined) {
    return [
      ["k", NOT_RECORDED],
      ["teacher", NOT_RECORDED],
    ];
  }
  const { k, objective, step, teacher, pairs } = provenance;
  const ofTeacher = teacher && `${teacher.path} (k ${teacher.k ?? NOT_RECORDED}, sha256 ${teacher.weightsSha256})`;
  return [
    ["k", k === undefined ? NOT_RECORDED : `${k} (${k === 1 ? "flow matching" : `${k - 1} times straightened`})`],
    ["objective", `${objective}, after ${count(step)} steps`],
    ["teacher", ofTeacher ?? "none"],
    ...(pairs
      ? [["pairs", `${pairs.solver}, ${pairs.numSteps} steps, padded dimensions: ${pairs.paddedDims}`] as const]
      : []),
  ];
}

function formatWeights(weights: WeightsReport, config: SmolVLAConfig): string {
  const rows = weights.parts.map(({ part, numParameters, numTrainable }) => [
    part === "lm_head" ? "lm_head (unused)" : part,
    count(numParameters),
    count(numTrainable),
  ]);
  const total = ["total", count(weights.numParameters), count(weights.numTrainable)];
  const table = formatTable([...rows, total], {
    header: ["part", "parameters", "trainable"],
    align: ["left", "right", "right"],
  });
  const stored = weights.storedAs.map(
    ({ dtype, numTensors, numParameters }) => `${dtype} ${count(numParameters)} in ${count(numTensors)} tensors`,
  );
  const rule = config.trainExpertOnly
    ? []
    : [
        "trainable as in LeRobot up to 0.6.0; from 0.6.1 on the last language layer and norm are frozen too (freeze_pattern)",
      ];
  return [table, "", `stored as ${stored.join(", ")} (${count(weights.numFileBytes)} bytes)`, ...rule].join("\n");
}

function formatFeatures(features: readonly FeatureReport[]): string {
  const rows = features.map((feature) => [
    feature.isOutput ? "output" : "input",
    feature.name,
    shapeText(feature.shape),
    feature.mode,
    statisticsText(feature),
  ]);
  return formatTable(rows, { header: ["", "name", "shape", "normalisation", "statistics"] });
}

function statisticsText({ needed, missing }: FeatureReport): string {
  if (needed.length === 0) return "none needed";
  if (missing.length === 0) return `${needed.join(", ")}: present`;
  return `MISSING ${missing.map(({ stat, where }) => `${stat} in ${where}`).join(", ")}`;
}

const formatPipeline = ({ name, steps }: ProcessorPipeline): string =>
  [name, ...steps.map((step, i) => `  ${i}  ${step.kind}${detailOf(step)}`)].join("\n");

function detailOf(step: ProcessorStep): string {
  switch (step.kind) {
    case "rename_observations_processor": {
      const renames = Object.entries(step.renameMap).map(([from, to]) => `${from} to ${to}`);
      return renames.length > 0 ? `: ${renames.join(", ")}` : "";
    }
    case "tokenizer_processor":
      return `: ${step.tokenizerName}, at most ${step.maxLength} tokens, padded to ${step.padding}`;
    case "device_processor":
      return `: ${step.device}`;
    case "normalizer_processor":
    case "unnormalizer_processor":
      return `: statistics of ${step.statistics.size} features`;
    default:
      return "";
  }
}

/** The same as plain data, with LeRobot's spelling of names. */
export const policyReportJson = ({ weights, ...report }: PolicyReport): unknown => ({
  folder: report.folder,
  type: "smolvla",
  parameters:
    weights === undefined
      ? null
      : {
          total: weights.numParameters,
          trainable: weights.numTrainable,
          parts: Object.fromEntries(
            weights.parts.map(({ part, numParameters, numTrainable }) => [
              part,
              { total: numParameters, trainable: numTrainable },
            ]),
          ),
        },
  weights_file:
    weights === undefined
      ? null
      : {
          bytes: weights.numFileBytes,
          dtypes: Object.fromEntries(
            weights.storedAs.map(({ dtype, numTensors, numParameters }) => [
              dtype,
              { tensors: numTensors, parameters: numParameters },
            ]),
          ),
          ...weights.misfits,
        },
  features: report.features.map(({ name, isOutput, type, shape, mode, needed, missing }) => ({
    name,
    role: isOutput ? "output" : "input",
    type,
    shape,
    normalization: mode,
    statistics: needed,
    missing_statistics: missing,
  })),
  settings: settingsOf(report.config),
  k: report.provenance?.k ?? null,
  provenance: report.provenance ?? null,
  processors: Object.fromEntries(
    report.processors.map(({ name, steps }) => [name, steps.map((step) => step.kind + detailOf(step))]),
  ),
  warnings: report.warnings,
  faults: report.faults,
});

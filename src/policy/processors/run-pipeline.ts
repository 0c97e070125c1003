import type { FeatureType } from "../../smolvla/config.js";
import { ShapeError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import type { LanguageTokenizer } from "../tokenizer.js";
import { normalizeArray } from "./normalization.js";
import type { NormalizationStep, ProcessorPipeline, ProcessorStep } from "./pipeline.js";
import { toFloat32 } from "./statistics.js";

/** Some frames of a dataset or one observation of a robot, by LeRobot's names, and the task of each. */
export interface ProcessorBatch {
  readonly arrays: Readonly<Record<string, HostArray>>;
  readonly tasks: readonly string[];
}

/** A batch on its way: what steps read and replace. Arrays are never written to. */
interface Transition {
  readonly observation: Readonly<Record<string, HostArray>>;
  readonly action: HostArray | undefined;
  /** indices and padding flags, which pass unchanged but for the batch axis */
  readonly others: Readonly<Record<string, HostArray>>;
  readonly tasks: readonly string[];
}

const isOther = (name: string): boolean =>
  name.includes("_is_pad") || name === "index" || name === "task_index" || name === "episode_index";

const pick = (arrays: Readonly<Record<string, HostArray>>, isWanted: (name: string) => boolean) =>
  Object.fromEntries(Object.entries(arrays).filter(([name]) => isWanted(name)));

/**
 * A batch as the network wants it: renamed, with batch axis, tokenised and normalised.
 *
 * Adds `observation.language.tokens` int64 `[B, T]` and `observation.language.attention_mask` bool `[B, T]`. Kept are
 * observations, the action, padding flags, `index`, `task_index` and `episode_index`; other entries are dropped, as in LeRobot
 * 0.4.4. Camera frames that are not normalised stay as they are (uint8 too); uint8 frames that are become `/ 255` first.
 *
 * @param tokenizer for the pipeline's tokenizer step
 * @throws ShapeError if arrays do not fit the statistics or there is not one task per row
 * @throws CheckpointError if a feature has statistics, but not those that its mode needs
 */
export function runPreprocessor(
  pipeline: ProcessorPipeline,
  batch: ProcessorBatch,
  tokenizer: LanguageTokenizer,
): ProcessorBatch {
  const start: Transition = {
    observation: pick(batch.arrays, (name) => name.startsWith("observation.")),
    action: batch.arrays.action,
    others: pick(batch.arrays, isOther),
    tasks: batch.tasks,
  };
  const end = pipeline.steps.reduce((transition, step) => applyStep(step, transition, tokenizer), start);
  const arrays: Record<string, HostArray> = { ...end.others, ...end.observation };
  return { arrays: end.action === undefined ? arrays : { action: end.action, ...arrays }, tasks: end.tasks };
}

/**
 * Actions of the network in the robot's units.
 *
 * @param actions float32 `[B, A, M]` or `[B, M]`, cropped to the real action dimensions
 */
export function runPostprocessor(pipeline: ProcessorPipeline, actions: HostArray): HostArray {
  const start: Transition = { observation: {}, action: actions, others: {}, tasks: [] };
  return pipeline.steps.reduce((transition, step) => applyStep(step, transition, undefined), start).action!;
}

function applyStep(step: ProcessorStep, transition: Transition, tokenizer: LanguageTokenizer | undefined): Transition {
  switch (step.kind) {
    case "rename_observations_processor": {
      const renamed = Object.entries(transition.observation).map(([name, array]) => [
        step.renameMap[name] ?? name,
        array,
      ]);
      return { ...transition, observation: Object.fromEntries(renamed) };
    }
    case "to_batch_processor":
      return addBatchAxis(transition);
    case "smolvla_new_line_processor":
      return { ...transition, tasks: transition.tasks.map((task) => (task.endsWith("\n") ? task : `${task}\n`)) };
    case "tokenizer_processor": {
      if (tokenizer === undefined)
        throw new Error("internal: a pipeline with a tokenizer step ran without a tokenizer");
      checkTasks(transition);
      const { ids, mask } = tokenizer.encodeBatch(transition.tasks, {
        maxLength: step.maxLength,
        padding: step.padding,
        paddingSide: step.paddingSide,
        truncation: step.truncation,
      });
      const language = { "observation.language.tokens": ids, "observation.language.attention_mask": mask };
      return { ...transition, observation: { ...transition.observation, ...language } };
    }
    case "device_processor":
      return step.floatDtype === undefined ? transition : castDoubles(transition);
    case "normalizer_processor":
    case "unnormalizer_processor":
      return applyNormalization(step, transition);
  }
}

/** The rank that an entry has without batch axis, for those that LeRobot completes. */
function unbatchedRank(name: string): number | undefined {
  if (name === "observation.state" || name === "observation.environment_state" || name === "action") return 1;
  if (name === "observation.image" || name.startsWith("observation.images.")) return 3;
  return name === "index" || name === "task_index" ? 0 : undefined;
}

const batched = (name: string, array: HostArray): HostArray =>
  array.shape.length === unbatchedRank(name) ? hostArray(array.dtype, [1, ...array.shape], array.data) : array;

const mapArrays = (
  arrays: Readonly<Record<string, HostArray>>,
  change: (name: string, array: HostArray) => HostArray,
): Readonly<Record<string, HostArray>> =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, change(name, array)]));

const addBatchAxis = (transition: Transition): Transition => ({
  ...transition,
  observation: mapArrays(transition.observation, batched),
  action: transition.action && batched("action", transition.action),
  others: mapArrays(transition.others, batched),
});

function castDoubles(transition: Transition): Transition {
  const cast = (array: HostArray): HostArray => (array.dtype === "float64" ? toFloat32(array) : array);
  return {
    ...transition,
    observation: mapArrays(transition.observation, (_, array) => cast(array)),
    action: transition.action && cast(transition.action),
    others: mapArrays(transition.others, (_, array) => cast(array)),
  };
}

function checkTasks({ observation, tasks }: Transition): void {
  const state = observation["observation.state"];
  const numRows = state === undefined || state.shape.length < 2 ? undefined : state.shape[0];
  if (tasks.length === 0 || (numRows !== undefined && numRows !== tasks.length)) {
    throw new ShapeError(`batch: expected one task per row (${numRows ?? "at least 1"}), got ${tasks.length}`);
  }
}

function applyNormalization(step: NormalizationStep, transition: Transition): Transition {
  const direction = step.kind === "normalizer_processor" ? "normalize" : "unnormalize";
  const apply = (feature: string, type: FeatureType, array: HostArray): HostArray => {
    const statistics = step.statistics.get(feature);
    const mode = step.normMap[type] ?? "IDENTITY";
    if (mode === "IDENTITY" || statistics === undefined) return array;
    const isFrame = type === "VISUAL" && array.dtype === "uint8";
    const input = isFrame ? unitRange(array) : array;
    return normalizeArray(input, { feature, mode, direction, statistics, eps: step.eps });
  };
  const keys = step.normalizeObservationKeys;
  return {
    ...transition,
    observation: mapArrays(transition.observation, (name, array) => {
      const type = step.features[name]?.type;
      const isSkipped = type === undefined || type === "ACTION" || (keys !== undefined && !keys.includes(name));
      return isSkipped ? array : apply(name, type, array);
    }),
    action: transition.action && apply("action", "ACTION", transition.action),
  };
}

/** A uint8 image as float32 in [0, 1]. */
const unitRange = (frame: HostArray): HostArray =>
  hostArray(
    "float32",
    frame.shape,
    Float32Array.from(frame.data as Uint8Array, (value) => value / 255),
  );

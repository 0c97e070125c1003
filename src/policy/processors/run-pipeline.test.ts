import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type HostArray, hostArray, zerosOnHost } from "../../support/host-array.js";
import { readSafetensors } from "../../support/safetensors.js";
import { type LanguageTokenizer, loadTokenizer } from "../tokenizer.js";
import { loadProcessorPipeline } from "./load-pipeline.js";
import { withRenameMap, withStatistics } from "./override-pipeline.js";
import {
  isNormalization,
  type NormalizationStep,
  type ProcessorPipeline,
  type ProcessorPipelines,
} from "./pipeline.js";
import { type ProcessorBatch, runPostprocessor, runPreprocessor } from "./run-pipeline.js";

const FIXTURE = "test/fixtures/tiny-smolvla";
let teacher: ProcessorPipelines;
let tokenizer: LanguageTokenizer;
let raw: ProcessorBatch;

beforeAll(async () => {
  teacher = {
    preprocessor: await loadProcessorPipeline(`${FIXTURE}/teacher`, "policy_preprocessor"),
    postprocessor: await loadProcessorPipeline(`${FIXTURE}/teacher`, "policy_postprocessor"),
  };
  tokenizer = await loadTokenizer(`${FIXTURE}/base-vlm`);
  const { task } = JSON.parse(readFileSync(`${FIXTURE}/parity/raw_batch.json`, "utf8"));
  raw = { arrays: Object.fromEntries(await readSafetensors(`${FIXTURE}/parity/raw_batch.safetensors`)), tasks: task };
});

const f32 = (shape: readonly number[], ...values: number[]): HostArray =>
  hostArray("float32", shape, Float32Array.from(values));
const normalizationOf = (pipeline: ProcessorPipeline): NormalizationStep => pipeline.steps.find(isNormalization)!;
/** The teacher's pre-processor with changes to its normalisation. */
const withNormalization = (changes: Partial<NormalizationStep>): ProcessorPipeline => ({
  ...teacher.preprocessor,
  steps: teacher.preprocessor.steps.map((step) => (isNormalization(step) ? { ...step, ...changes } : step)),
});

describe("the pre-processor", () => {
  it("equals stock LeRobot's in every bit of every entry", async () => {
    const expected = Object.fromEntries(await readSafetensors(`${FIXTURE}/parity/processed_batch.safetensors`));
    const { arrays } = runPreprocessor(teacher.preprocessor, raw, tokenizer);
    expect(Object.keys(arrays).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, array] of Object.entries(arrays)) expect(array, name).toEqual(expected[name]);
  });

  it("ends every task with one newline", () => {
    const batch = { ...raw, tasks: ["a", "b\n", "", "\n"] };
    expect(runPreprocessor(teacher.preprocessor, batch, tokenizer).tasks).toEqual(["a\n", "b\n", "\n", "\n"]);
  });

  it("changes nothing of its input", () => {
    const before = structuredClone(raw);
    runPreprocessor(teacher.preprocessor, raw, tokenizer);
    expect(raw).toEqual(before);
  });

  it("adds the batch axis to a single observation", () => {
    const arrays = {
      "observation.state": f32([3], 1, 2, 3),
      "observation.images.top": zerosOnHost("uint8", [3, 48, 64]),
      "observation.images.wrist": zerosOnHost("uint8", [1, 3, 48, 64]),
      index: hostArray("int64", [], new BigInt64Array(1)),
    };
    const processed = runPreprocessor(teacher.preprocessor, { arrays, tasks: ["go"] }, tokenizer).arrays;
    expect(processed["observation.state"]?.shape).toEqual([1, 3]);
    expect(processed["observation.images.top"]?.shape).toEqual([1, 3, 48, 64]);
    expect(processed["observation.images.wrist"]?.shape).toEqual([1, 3, 48, 64]);
    expect(processed.index?.shape).toEqual([1]);
    expect(processed["observation.language.tokens"]?.shape[0]).toBe(1);
  });

  it("renames observations before they are normalised", () => {
    const { "observation.state": state, ...rest } = raw.arrays;
    const pipeline = withRenameMap(teacher.preprocessor, { "observation.joints": "observation.state" });
    const batch = { ...raw, arrays: { ...rest, "observation.joints": state! } };
    expect(runPreprocessor(pipeline, batch, tokenizer).arrays["observation.state"]).toEqual(
      runPreprocessor(teacher.preprocessor, raw, tokenizer).arrays["observation.state"],
    );
  });

  it("keeps uint8 frames as they are unless they are normalised", () => {
    const frames = hostArray("uint8", [1, 3, 1, 2], Uint8Array.of(0, 255, 51, 102, 204, 153));
    const arrays = { "observation.state": f32([1, 3], 0, 0, 0), "observation.images.top": frames };
    const run = (pipeline: ProcessorPipeline): HostArray =>
      runPreprocessor(pipeline, { arrays, tasks: ["go"] }, tokenizer).arrays["observation.images.top"]!;
    expect(run(teacher.preprocessor)).toBe(frames);
    const normMap = { VISUAL: "MIN_MAX", STATE: "MEAN_STD", ACTION: "MEAN_STD" } as const;
    expect(run(withNormalization({ normMap, statistics: new Map() }))).toBe(frames);
    const range = new Map([
      ["min", f32([3, 1, 1], 0, 0, 0)],
      ["max", f32([3, 1, 1], 1, 1, 1)],
    ]);
    const normalised = run(withNormalization({ normMap, statistics: new Map([["observation.images.top", range]]) }));
    expect(normalised.dtype).toBe("float32");
    const unit = [0, 1, 0.2, 0.4, 0.8, 0.6].map((value) => Math.fround(2 * Math.fround(value)) - 1);
    expect(Array.from(normalised.data as Float32Array)).toEqual(unit.map(Math.fround));
  });

  it("passes features unchanged that have no statistics, or are left out by the step's keys", () => {
    const state = raw.arrays["observation.state"];
    const run = (pipeline: ProcessorPipeline) => runPreprocessor(pipeline, raw, tokenizer).arrays["observation.state"];
    expect(run(withNormalization({ statistics: new Map() }))).toBe(state);
    expect(run(withNormalization({ features: {} }))).toBe(state);
    expect(run(withNormalization({ normMap: {} }))).toBe(state);
    expect(run(withNormalization({ normalizeObservationKeys: ["observation.images.top"] }))).toBe(state);
  });

  it("refuses a batch with too few tasks, and statistics that lack what the mode needs", () => {
    expect(() => runPreprocessor(teacher.preprocessor, { ...raw, tasks: ["go"] }, tokenizer)).toThrow(
      "batch: expected one task per row (4), got 1",
    );
    expect(() => runPreprocessor(teacher.preprocessor, { arrays: {}, tasks: [] }, tokenizer)).toThrow(
      "batch: expected one task per row (at least 1), got 0",
    );
    const statistics = new Map([["observation.state", new Map([["mean", f32([3], 0, 0, 0)]])]]);
    expect(() => runPreprocessor(withNormalization({ statistics }), raw, tokenizer)).toThrow(
      'statistics of "observation.state": expected mean and std for MEAN_STD, got only mean. Compute the dataset\'s statistics again',
    );
  });
});

describe("the post-processor", () => {
  it("equals stock LeRobot's in every bit", async () => {
    const forward = await readSafetensors(`${FIXTURE}/parity/forward.safetensors`);
    for (const steps of [1, 2, 5, 10, 20]) {
      const robot = runPostprocessor(teacher.postprocessor, forward.get(`chunk.${steps}`)!);
      expect(robot).toEqual(forward.get(`robot_chunk.${steps}`));
    }
  });

  it("undoes the pre-processor, for chunks and for single actions", () => {
    const { action } = runPreprocessor(teacher.preprocessor, raw, tokenizer).arrays;
    const back = runPostprocessor(teacher.postprocessor, action!);
    const original = raw.arrays.action!.data as Float32Array;
    (back.data as Float32Array).forEach((value, i) => void expect(value).toBeCloseTo(original[i]!, 5));
    const single = runPostprocessor(teacher.postprocessor, f32([1, 3], 0, 0, 0));
    expect(single.data).toEqual(normalizationOf(teacher.postprocessor).statistics.get("action")!.get("mean")!.data);
  });

  it("uses other statistics once they are overridden", () => {
    const statistics = new Map([
      [
        "action",
        new Map([
          ["min", hostArray("float64", [1], Float64Array.of(0))],
          ["max", hostArray("float64", [1], Float64Array.of(10))],
        ]),
      ],
    ]);
    const features = { action: { type: "ACTION", shape: [1] } } as const;
    const pipeline = withStatistics(teacher.postprocessor, statistics, features, { ACTION: "MIN_MAX" });
    expect(runPostprocessor(pipeline, f32([1, 1], 0)).data).toEqual(Float32Array.of(5));
  });
});

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { parseSmolVLAConfig, type SmolVLAConfig } from "../../smolvla/config.js";
import { hostArray } from "../../support/host-array.js";
import { loadProcessorPipeline } from "./load-pipeline.js";
import { makeProcessorPipelines } from "./make-pipelines.js";
import { missingStatistics } from "./missing-statistics.js";
import { withDevice, withRenameMap, withStatistics, withTokenizerName } from "./override-pipeline.js";
import { isNormalization, type ProcessorPipeline, type ProcessorPipelines, tokenizerStepOf } from "./pipeline.js";

const TEACHER = "test/fixtures/tiny-smolvla/teacher";
let config: SmolVLAConfig;
let teacher: ProcessorPipelines;
beforeAll(async () => {
  config = parseSmolVLAConfig(JSON.parse(readFileSync(`${TEACHER}/config.json`, "utf8")), "config.json");
  teacher = {
    preprocessor: await loadProcessorPipeline(TEACHER, "policy_preprocessor"),
    postprocessor: await loadProcessorPipeline(TEACHER, "policy_postprocessor"),
  };
});
const statisticsOf = (pipeline: ProcessorPipeline) => pipeline.steps.find(isNormalization)!.statistics;

describe("the pipelines of a fresh policy", () => {
  it("are those that stock LeRobot made for the teacher", () => {
    expect(makeProcessorPipelines(config, statisticsOf(teacher.preprocessor))).toEqual(teacher);
  });
});

describe("overrides", () => {
  it("replace device, tokenizer name and rename map, and nothing else", () => {
    const { preprocessor } = teacher;
    const changed = withRenameMap(withTokenizerName(withDevice(preprocessor, "cuda:1"), "other"), { a: "b" });
    expect(changed.steps[4]).toEqual({ kind: "device_processor", device: "cuda", floatDtype: undefined });
    expect(tokenizerStepOf(changed)?.tokenizerName).toBe("other");
    expect(changed.steps[0]).toEqual({ kind: "rename_observations_processor", renameMap: { a: "b" } });
    expect(withRenameMap(withTokenizerName(withDevice(changed, "cpu"), "base-vlm"), {})).toEqual(preprocessor);
  });

  it("refuse to rename where no step renames", () => {
    expect(() => withRenameMap(teacher.postprocessor, { a: "b" })).toThrow(
      "rename_map: expected a policy_postprocessor with a rename_observations_processor, got one without",
    );
    expect(withRenameMap(teacher.postprocessor, {})).toEqual(teacher.postprocessor);
  });

  it("keep the loaded statistics when the new ones are empty", () => {
    const changed = withStatistics(teacher.postprocessor, new Map(), config.outputFeatures, { ACTION: "MIN_MAX" });
    expect(statisticsOf(changed)).toBe(statisticsOf(teacher.postprocessor));
    expect(changed.steps[0]).toMatchObject({ normMap: { ACTION: "MIN_MAX" } });
  });
});

describe("missing statistics", () => {
  const where = "policy_preprocessor step 5 (normalizer_processor)";
  const missing = (feature: string, stat: string, place = where, mode = "MEAN_STD") => ({
    feature,
    mode,
    stat,
    where: place,
  });
  const ALL = [
    missing("observation.state", "mean"),
    missing("observation.state", "std"),
    missing("action", "mean"),
    missing("action", "std"),
  ];
  const change = (changes: object): ProcessorPipeline => ({
    ...teacher.preprocessor,
    steps: teacher.preprocessor.steps.map((step) => (isNormalization(step) ? { ...step, ...changes } : step)),
  });

  it("are none for a healthy policy, empty cameras or not", () => {
    expect(missingStatistics(teacher.preprocessor, config)).toEqual([]);
    expect(missingStatistics(teacher.postprocessor, config)).toEqual([]);
    const withEmpty = {
      ...config,
      inputFeatures: {
        ...config.inputFeatures,
        "observation.images.empty_camera_0": { type: "VISUAL", shape: [3, 480, 640] },
      },
      normalizationMapping: { ...config.normalizationMapping, VISUAL: "MEAN_STD" },
    } as const;
    const visual = change({
      normMap: withEmpty.normalizationMapping,
      features: { ...withEmpty.inputFeatures, ...config.outputFeatures },
    });
    expect(missingStatistics(visual, withEmpty)).toEqual([]);
  });

  it("are all of them for processors that were saved without statistics", () => {
    expect(missingStatistics(change({ statistics: new Map() }), config)).toEqual(ALL);
    const bare = makeProcessorPipelines({ ...config, inputFeatures: {}, outputFeatures: {} }, new Map());
    expect(missingStatistics(bare.preprocessor, config)).toEqual(ALL);
    const place = "policy_postprocessor step 0 (unnormalizer_processor)";
    expect(missingStatistics(bare.postprocessor, config)).toEqual([
      missing("action", "mean", place),
      missing("action", "std", place),
    ]);
  });

  it("are found where the step is absent, does not list the feature or leaves its kind alone", () => {
    const without = { ...teacher.preprocessor, steps: teacher.preprocessor.steps.slice(0, 5) };
    const absent = "policy_preprocessor (no normalizer_processor)";
    expect(missingStatistics(without, config)).toEqual(ALL.map((entry) => ({ ...entry, where: absent })));
    expect(missingStatistics(change({ features: {} }), config)).toEqual(ALL.slice(0, 2));
    expect(missingStatistics(change({ normalizeObservationKeys: [] }), config)).toEqual(ALL.slice(0, 2));
    expect(missingStatistics(change({ normMap: { ACTION: "MEAN_STD" } }), config)).toEqual(ALL.slice(0, 2));
  });

  it("are found one by one, and where they are not finite", () => {
    const state = new Map(statisticsOf(teacher.preprocessor).get("observation.state"));
    state.set("std", hostArray("float32", [3], Float32Array.of(1, Number.POSITIVE_INFINITY, 1)));
    const statistics = new Map(statisticsOf(teacher.preprocessor)).set("observation.state", state);
    expect(missingStatistics(change({ statistics }), config)).toEqual([missing("observation.state", "std")]);
  });

  it("follow the mode of the step where it differs from the policy's", () => {
    const normMap = { STATE: "QUANTILES", ACTION: "MEAN_STD" };
    expect(missingStatistics(change({ normMap, statistics: new Map() }), config)).toEqual([
      missing("observation.state", "q01", where, "QUANTILES"),
      missing("observation.state", "q99", where, "QUANTILES"),
      ...ALL.slice(2),
    ]);
  });
});

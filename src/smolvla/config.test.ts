import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  actionDim,
  configWarnings,
  imageFeatureNames,
  parseSmolVLAConfig,
  stateDim,
  toSmolVLAJson,
  usesCrossAttention,
  withDatasetFeatures,
} from "./config.js";

const TEACHER = readFileSync("test/fixtures/tiny-smolvla/teacher/config.json", "utf8");
const teacherJson = (): Record<string, unknown> => JSON.parse(TEACHER);
const parse = (changes: Record<string, unknown> = {}) =>
  parseSmolVLAConfig({ ...teacherJson(), ...changes }, "config.json");
const minimal = (changes: Record<string, unknown> = {}) =>
  parseSmolVLAConfig({ type: "smolvla", ...changes }, "config.json");

describe("reading a config.json", () => {
  it("gives the settings under our names", () => {
    const config = parse();
    expect(config).toMatchObject({ chunkSize: 10, nActionSteps: 5, numVlmLayers: 4, selfAttnEveryNLayers: 2 });
    expect(config.resizeImgsWithPadding).toEqual([64, 64]);
    expect(imageFeatureNames(config)).toEqual(["observation.images.top", "observation.images.wrist"]);
    expect([actionDim(config), stateDim(config)]).toEqual([3, 3]);
    expect(usesCrossAttention(config)).toBe(true);
  });

  it("fills missing keys with LeRobot's defaults", () => {
    expect(minimal()).toMatchObject({
      chunkSize: 50,
      maxActionDim: 32,
      numSteps: 10,
      optimizerLr: 1e-4,
      loadVlmWeights: false,
      padLanguageTo: "longest",
      normalizationMapping: { VISUAL: "IDENTITY", STATE: "MEAN_STD", ACTION: "MEAN_STD" },
    });
  });

  it("turns the numbers that mean 'not set' into undefined", () => {
    const config = parse({ prefix_length: 0, num_expert_layers: 0, num_vlm_layers: -1, self_attn_every_n_layers: 0 });
    expect(config.prefixLength).toBeUndefined();
    expect(config.numExpertLayers).toBeUndefined();
    expect(config.numVlmLayers).toBeUndefined();
    expect(config.selfAttnEveryNLayers).toBeUndefined();
  });

  it("accepts the keys of later versions and does not write them", () => {
    const config = parse({ pretrained_revision: "main" });
    expect(config.pretrainedRevision).toBe("main");
    expect(toSmolVLAJson(config)).toBe(TEACHER);
  });

  it("adds empty cameras after the other inputs, once", () => {
    const config = parse({ empty_cameras: 2 });
    expect(imageFeatureNames(config).slice(2)).toEqual([
      "observation.images.empty_camera_0",
      "observation.images.empty_camera_1",
    ]);
    expect(config.inputFeatures["observation.images.empty_camera_0"]).toEqual({ type: "VISUAL", shape: [3, 480, 640] });
    expect(parseSmolVLAConfig(JSON.parse(toSmolVLAJson(config)), "again").inputFeatures).toEqual(config.inputFeatures);
  });
});

describe("writing a config.json", () => {
  it("gives back a file of version 0.4.4 byte for byte", () => {
    expect(toSmolVLAJson(parse())).toBe(TEACHER);
  });

  it("writes 'not set' in the way it was read", () => {
    const written = JSON.parse(
      toSmolVLAJson(parse({ prefix_length: 0, num_expert_layers: 0, input_features: null, rtc_config: null })),
    );
    expect(written).toMatchObject({ prefix_length: 0, num_expert_layers: 0, input_features: null, rtc_config: null });
  });

  it("keeps rtc_config, with its float as a float", () => {
    const rtc = { enabled: true, prefix_attention_schedule: "LINEAR", max_guidance_weight: 10, execution_horizon: 10 };
    const text = toSmolVLAJson(parse({ rtc_config: rtc }));
    expect(JSON.parse(text).rtc_config).toEqual(rtc);
    expect(text).toContain('"max_guidance_weight": 10.0');
  });

  it("loses no setting, whatever the values are", () => {
    const count = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(
        fc.record({
          chunk_size: count.map((n) => n + 1000),
          n_action_steps: count,
          prefix_length: fc.integer({ min: -5, max: 400 }),
          num_vlm_layers: fc.integer({ min: -5, max: 32 }),
          optimizer_lr: fc.double({ noNaN: true, noDefaultInfinity: true }),
          device: fc.option(fc.string()),
          tags: fc.option(fc.array(fc.string())),
          resize_imgs_with_padding: fc.option(fc.tuple(count, count)),
          vlm_model_name: fc.string({ minLength: 1, unit: "binary" }),
        }),
        (changes) => {
          const written = JSON.parse(toSmolVLAJson(parse(changes)));
          expect(written).toEqual({ ...teacherJson(), ...changes });
        },
      ),
    );
  });
});

describe("features of a dataset", () => {
  it("replace the outputs always and the inputs only when there are none", () => {
    const features = {
      "observation.images.front": { type: "VISUAL", shape: [3, 48, 64] },
      action: { type: "ACTION", shape: [5] },
    } as const;
    const fresh = withDatasetFeatures(minimal({ empty_cameras: 1 }), features);
    expect(Object.keys(fresh.inputFeatures)).toEqual(["observation.images.front", "observation.images.empty_camera_0"]);
    expect(actionDim(fresh)).toBe(5);
    const tuned = withDatasetFeatures(parse(), features);
    expect(imageFeatureNames(tuned)).toEqual(["observation.images.top", "observation.images.wrist"]);
    expect(actionDim(tuned)).toBe(5);
  });
});

describe("a config.json that cannot be used", () => {
  it.each([
    [{ chunk_sise: 50 }, 'config.json at chunk_sise: unknown key. Did you mean "chunk_size"?'],
    [{ chunk_size: 2.5, n_action_steps: 1 }, "config.json at chunk_size: expected a whole number, got 2.5"],
    [{ chunk_size: "10" }, 'config.json at chunk_size: expected a number, got "10"'],
    [{ num_steps: 0 }, "config.json at num_steps: expected a number of at least 1, got 0"],
    [{ min_period: 0 }, "config.json at min_period: expected a number above 0, got 0"],
    [{ use_amp: 1 }, "config.json at use_amp: expected true or false, got 1"],
    [{ type: "act" }, 'config.json at type: expected "smolvla", got "act"'],
    [
      { resize_imgs_with_padding: [64] },
      "config.json at resize_imgs_with_padding: expected a list of 2 entries, got [64]",
    ],
    [
      { normalization_mapping: { STATE: "MEAN_STDD" } },
      'config.json at normalization_mapping.STATE: expected one of "MIN_MAX", "MEAN_STD", "IDENTITY", "QUANTILES", "QUANTILE10", got "MEAN_STDD". Did you mean "MEAN_STD"?',
    ],
    [
      { normalization_mapping: { STAT: "MEAN_STD" } },
      'config.json at normalization_mapping.STAT: unknown key. Did you mean "STATE"?',
    ],
    [
      { output_features: { action: { type: "ACTIONS", shape: [3] } } },
      'config.json at output_features.action.type: expected one of "STATE", "VISUAL", "ENV", "ACTION", "REWARD", "LANGUAGE", got "ACTIONS". Did you mean "ACTION"?',
    ],
    [
      { output_features: { action: { type: "ACTION", shape: [3], sahpe: 1 } } },
      'config.json at output_features.action.sahpe: unknown key. Did you mean "shape"?',
    ],
    [
      { output_features: { action: { type: "ACTION", shape: [9] } } },
      "config.json at output_features.action.shape: expected at most max_action_dim (8) entries, got 9",
    ],
    [
      { n_action_steps: 11 },
      "config.json at n_action_steps: expected at most chunk_size (10) action steps per prediction, got 11",
    ],
    [
      { use_delta_joint_actions_aloha: true },
      "config.json at use_delta_joint_actions_aloha: expected false, got true. LeRobot has not ported these actions itself",
    ],
    [
      { use_cache: false },
      "config.json at use_cache: expected true, got false. LeRobot has no working way to sample without the prefix cache",
    ],
    [{ max_period: 0.001 }, "config.json at max_period: expected a number above min_period (0.004), got 0.001"],
  ])("is refused: %j", (changes, message) => {
    expect(() => parse(changes)).toThrow(message);
  });

  it("is refused with all its problems at once", () => {
    expect(() => parse({ chunk_sise: 1, num_steps: 0, device: 3 })).toThrow(
      [
        "config.json: 3 problems",
        "  - device: expected a text, got 3",
        "  - num_steps: expected a number of at least 1, got 0",
        '  - chunk_sise: unknown key. Did you mean "chunk_size"?',
      ].join("\n"),
    );
  });

  it("is refused when it is no object, or says no type", () => {
    expect(() => parseSmolVLAConfig([], "config.json")).toThrow("config.json: expected an object, got []");
    expect(() => parseSmolVLAConfig({}, "config.json")).toThrow('config.json at type: expected "smolvla", got nothing');
  });

  it("says which feature is missing when a width is asked for", () => {
    expect(() => actionDim(minimal())).toThrow(
      'policy config at output_features: expected the feature "action" of type ACTION with one size, got none',
    );
    expect(() => stateDim(minimal())).toThrow(
      'policy config at input_features: expected the feature "observation.state" of type STATE with one size, got none',
    );
  });
});

describe("settings without effect", () => {
  it("are reported, and none are for the usual policy", () => {
    expect(configWarnings(parse())).toEqual([]);
    const all = parse({ rtc_config: { enabled: true }, compile_model: true, use_amp: true, use_peft: true });
    expect(configWarnings(all)).toEqual([
      "rtc_config is enabled, but real-time chunking is not applied: chunks are predicted independently",
      "compile_model is true, but has no effect: the network is not compiled",
      "use_amp is true, but has no effect: the network runs in the precision it is given",
      "use_peft is true, but the folder holds complete weights, which are used without an adapter",
    ]);
  });
});

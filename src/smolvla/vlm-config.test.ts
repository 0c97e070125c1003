import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseVlmConfig, SMOLVLM2_500M } from "./vlm-config.js";

const read = (name: string): Record<string, Record<string, unknown>> =>
  JSON.parse(readFileSync(`test/fixtures/${name}/config.json`, "utf8"));
const tiny = () => read("tiny-smolvla/base-vlm");
const withText = (changes: Record<string, unknown>) => ({
  ...tiny(),
  text_config: { ...tiny().text_config, ...changes },
});
const withVision = (changes: Record<string, unknown>) => ({
  ...tiny(),
  vision_config: { ...tiny().vision_config, ...changes },
});

describe("parseVlmConfig", () => {
  it("reads the geometry of a small model", () => {
    expect(parseVlmConfig(tiny(), "config.json")).toEqual({
      vision: {
        hiddenSize: 48,
        intermediateSize: 192,
        numHiddenLayers: 2,
        numAttentionHeads: 3,
        numChannels: 3,
        imageSize: 64,
        patchSize: 8,
        layerNormEps: 1e-6,
      },
      text: {
        hiddenSize: 96,
        intermediateSize: 256,
        numHiddenLayers: 8,
        numAttentionHeads: 3,
        numKeyValueHeads: 1,
        headDim: 32,
        vocabSize: 384,
        maxPositionEmbeddings: 2048,
        rmsNormEps: 1e-5,
        ropeTheta: 100_000,
        initializerRange: 0.02,
      },
      scaleFactor: 2,
      imageTokenId: 3,
      padTokenId: 2,
      tieWordEmbeddings: false,
    });
  });

  it("reads the sizes of the published 500M model", () => {
    const { vision, text, scaleFactor } = parseVlmConfig(read("smolvlm2-500m-geometry"), "config.json");
    expect(vision).toEqual(SMOLVLM2_500M.vision);
    expect({ ...text, maxPositionEmbeddings: 8192 }).toEqual(SMOLVLM2_500M.text);
    expect(scaleFactor).toBe(4);
  });

  it("reads the spelling of transformers 4 alike", () => {
    const { rope_parameters: _, head_dim: __, ...text } = tiny().text_config as Record<string, unknown>;
    const old = {
      ...tiny(),
      torch_dtype: "bfloat16",
      text_config: { ...text, torch_dtype: "bfloat16", rope_theta: 100000.0 },
    };
    expect(parseVlmConfig(old, "config.json")).toEqual(parseVlmConfig(tiny(), "config.json"));
  });

  it("gives missing keys the defaults of transformers", () => {
    expect(
      parseVlmConfig({ model_type: "smolvlm", vision_config: { image_size: 256 }, text_config: {} }, "config.json"),
    ).toMatchObject({
      vision: { hiddenSize: 1152, numAttentionHeads: 16, patchSize: 32, layerNormEps: 1e-6 },
      text: { hiddenSize: 4096, headDim: 128, numKeyValueHeads: 32, rmsNormEps: 1e-6, ropeTheta: 10_000 },
    });
  });

  it.each([
    [
      { ...tiny(), model_type: "llava" },
      'config.json at model_type: expected one of "smolvlm", "idefics3", got "llava"',
    ],
    [{ model_type: "smolvlm" }, "config.json at text_config: expected an object, got nothing"],
    [withText({ hidden_act: "gelu" }), 'config.json at text_config.hidden_act: expected "silu", got "gelu"'],
    [withText({ attention_bias: true }), "config.json at text_config.attention_bias: expected false, got true"],
    [withText({ mlp_bias: true }), "config.json at text_config.mlp_bias: expected false, got true"],
    [
      withVision({ hidden_act: "gelu" }),
      'config.json at vision_config.hidden_act: expected "gelu_pytorch_tanh", got "gelu"',
    ],
    [
      withVision({ hidden_size: 50 }),
      "config.json at vision_config.hidden_size: expected a multiple of num_attention_heads (3), got 50",
    ],
    [
      withVision({ image_size: 60 }),
      "config.json: 2 problems\n  - vision_config.image_size: expected a multiple of patch_size (8), got 60\n  - scale_factor: expected a divisor of the 7 patches per image side, got 2",
    ],
    [
      withText({ num_key_value_heads: 2 }),
      "config.json at text_config.num_attention_heads: expected a multiple of num_key_value_heads (2), got 3",
    ],
    [
      withText({ num_hidden_layers: 0 }),
      "config.json at text_config.num_hidden_layers: expected a number of at least 1, got 0",
    ],
  ])("refuses what the network cannot be %#", (json, message) => {
    expect(() => parseVlmConfig(json, "config.json")).toThrow(message);
  });
});

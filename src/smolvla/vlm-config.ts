import { z } from "zod";
import { ConfigError, type ConfigProblem } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";

/** Sizes of the SigLIP-like vision tower. */
export interface VisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numChannels: number;
  /** side of the square images, in pixels; a multiple of `patchSize` */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly layerNormEps: number;
}

/** Sizes of the Llama-like language tower. */
export interface TextConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** of the published model, before a policy keeps its first layers only */
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** E, the width of one attention head */
  readonly headDim: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly rmsNormEps: number;
  /** the model's own; a SmolVLA policy rotates with 10000 whatever this says */
  readonly ropeTheta: number;
  readonly initializerRange: number;
}

/** The geometry of a SmolVLM2 vision-language model. */
export interface VlmConfig {
  readonly vision: VisionConfig;
  readonly text: TextConfig;
  /** side of the squares of patches that the connector joins into one token */
  readonly scaleFactor: number;
  readonly imageTokenId: number;
  readonly padTokenId: number;
  readonly tieWordEmbeddings: boolean;
}

/** Far above any model there is; what is larger is damage, and would be looped over or multiplied with others. */
const MOST = 2 ** 24;
const size = z.int().min(1).max(MOST);
const numLayers = z.int().min(1).max(1000);
const tokenId = z.int().min(0);
/** Absent and null mean the same in these files. */
const orDefault = <T>(schema: z.ZodType<T>, value: T): z.ZodType<T> =>
  schema.nullish().transform((given) => given ?? value) as unknown as z.ZodType<T>;

const vision = z.looseObject({
  hidden_size: orDefault(size, 1152),
  intermediate_size: orDefault(size, 3072),
  num_hidden_layers: orDefault(numLayers, 12),
  num_attention_heads: orDefault(size, 16),
  num_channels: orDefault(size, 3),
  image_size: orDefault(size.max(16_384), 224),
  patch_size: orDefault(size, 32),
  hidden_act: orDefault(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
  layer_norm_eps: orDefault(z.number(), 1e-6),
});

const rope = z.looseObject({ rope_theta: z.number().nullish(), rope_type: z.string().nullish() });

const text = z.looseObject({
  hidden_size: orDefault(size, 4096),
  intermediate_size: orDefault(size, 11008),
  num_hidden_layers: orDefault(numLayers, 32),
  num_attention_heads: orDefault(size, 32),
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: orDefault(size, 32000),
  max_position_embeddings: orDefault(size, 2048),
  rms_norm_eps: orDefault(z.number(), 1e-6),
  initializer_range: orDefault(z.number(), 0.02),
  hidden_act: orDefault(z.literal("silu"), "silu"),
  attention_bias: orDefault(z.literal(false), false),
  mlp_bias: orDefault(z.literal(false), false),
  pad_token_id: tokenId.nullish(),
  rope_theta: z.number().nullish(),
  rope_parameters: rope.nullish(),
});

const SCHEMA = z.looseObject({
  model_type: z.enum(["smolvlm", "idefics3"]),
  vision_config: orDefault(vision, vision.parse({})),
  text_config: text,
  scale_factor: orDefault(size, 2),
  image_token_id: orDefault(tokenId, 128257),
  pad_token_id: tokenId.nullish(),
  tie_word_embeddings: orDefault(z.boolean(), false),
});

/**
 * The geometry in a SmolVLM2 `config.json`, in the spelling of transformers 4 or 5. Missing keys take the defaults that
 * transformers gives them; keys that do not concern the geometry are ignored.
 *
 * @param where the file's path, or what else the user knows the JSON by
 * @throws ConfigError with all problems at once: another kind of model, other activations, biases, sizes that do not divide
 */
export function parseVlmConfig(json: unknown, where: string): VlmConfig {
  const parsed = parseWithSchema(SCHEMA, json, where);
  const { vision_config: v, text_config: t } = parsed;
  const config: VlmConfig = {
    vision: {
      hiddenSize: v.hidden_size,
      intermediateSize: v.intermediate_size,
      numHiddenLayers: v.num_hidden_layers,
      numAttentionHeads: v.num_attention_heads,
      numChannels: v.num_channels,
      imageSize: v.image_size,
      patchSize: v.patch_size,
      layerNormEps: v.layer_norm_eps,
    },
    text: {
      hiddenSize: t.hidden_size,
      intermediateSize: t.intermediate_size,
      numHiddenLayers: t.num_hidden_layers,
      numAttentionHeads: t.num_attention_heads,
      numKeyValueHeads: t.num_key_value_heads ?? t.num_attention_heads,
      headDim: t.head_dim ?? Math.floor(t.hidden_size / t.num_attention_heads),
      vocabSize: t.vocab_size,
      maxPositionEmbeddings: t.max_position_embeddings,
      rmsNormEps: t.rms_norm_eps,
      ropeTheta: t.rope_parameters?.rope_theta ?? t.rope_theta ?? 10_000,
      initializerRange: t.initializer_range,
    },
    scaleFactor: parsed.scale_factor,
    imageTokenId: parsed.image_token_id,
    padTokenId: parsed.pad_token_id ?? t.pad_token_id ?? 128_002,
    tieWordEmbeddings: parsed.tie_word_embeddings,
  };
  const problems = findMisfits(config);
  if (problems.length > 0) throw new ConfigError(where, problems);
  return config;
}

/** Sizes that do not divide as the network needs them to. */
function findMisfits({ vision, text, scaleFactor }: VlmConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const expectMultiple = (path: string, value: number, divisor: number, what: string): void => {
    if (value % divisor !== 0)
      problems.push({ path, message: `expected a multiple of ${what} (${divisor}), got ${value}` });
  };
  expectMultiple("vision_config.hidden_size", vision.hiddenSize, vision.numAttentionHeads, "num_attention_heads");
  expectMultiple("vision_config.image_size", vision.imageSize, vision.patchSize, "patch_size");
  expectMultiple(
    "text_config.num_attention_heads",
    text.numAttentionHeads,
    text.numKeyValueHeads,
    "num_key_value_heads",
  );
  expectMultiple("text_config.head_dim", text.headDim, 2, "the number of halves that are rotated");
  const patchesPerSide = Math.floor(vision.imageSize / vision.patchSize);
  if (patchesPerSide % scaleFactor !== 0) {
    problems.push({
      path: "scale_factor",
      message: `expected a divisor of the ${patchesPerSide} patches per image side, got ${scaleFactor}`,
    });
  }
  return problems;
}

/** The Hub id of the model on which published SmolVLA policies are built. */
export const SMOLVLM2_500M_NAME = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct";

/** The published geometry of `SMOLVLM2_500M_NAME`, for when its `config.json` cannot be reached. */
export const SMOLVLM2_500M: VlmConfig = {
  vision: {
    hiddenSize: 768,
    intermediateSize: 3072,
    numHiddenLayers: 12,
    numAttentionHeads: 12,
    numChannels: 3,
    imageSize: 512,
    patchSize: 16,
    layerNormEps: 1e-6,
  },
  text: {
    hiddenSize: 960,
    intermediateSize: 2560,
    numHiddenLayers: 32,
    numAttentionHeads: 15,
    numKeyValueHeads: 5,
    headDim: 64,
    vocabSize: 49_280,
    maxPositionEmbeddings: 8192,
    rmsNormEps: 1e-5,
    ropeTheta: 100_000,
    initializerRange: 0.02,
  },
  scaleFactor: 4,
  imageTokenId: 49_190,
  padTokenId: 2,
  tieWordEmbeddings: false,
};

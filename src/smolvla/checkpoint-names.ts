/**
 * The one table that maps our field names to those of the published checkpoints, in the order in which PyTorch
 * enumerates that model's parameters (which is the order of LeRobot's optimizer files). `{i}` is a layer number.
 */
const ATTENTION = { query: "q_proj", key: "k_proj", value: "v_proj" } as const;
const MLP = { gate: "mlp.gate_proj", up: "mlp.up_proj", down: "mlp.down_proj" } as const;

const decoderLayer = (ours: string, theirs: string): [string, string][] => [
  ...Object.entries(ATTENTION).map(([a, b]): [string, string] => [
    `${ours}.${a}.weight`,
    `${theirs}.self_attn.${b}.weight`,
  ]),
  [`${ours}.output.weight`, `${theirs}.self_attn.o_proj.weight`],
  ...Object.entries(MLP).map(([a, b]): [string, string] => [`${ours}.${a}.weight`, `${theirs}.${b}.weight`]),
  [`${ours}.inputNorm.weight`, `${theirs}.input_layernorm.weight`],
  [`${ours}.mlpNorm.weight`, `${theirs}.post_attention_layernorm.weight`],
];

const withBias = (ours: string, theirs: string): [string, string][] => [
  [`${ours}.weight`, `${theirs}.weight`],
  [`${ours}.bias`, `${theirs}.bias`],
];

/** Where the vision-language model sits inside a policy's checkpoint; its own published file has no such prefix. */
export const VLM_PREFIX = "model.vlm_with_expert.vlm.";
const VISION = `${VLM_PREFIX}model.vision_model`;
const TEXT = `${VLM_PREFIX}model.text_model`;
const EXPERT = "model.vlm_with_expert.lm_expert";

const TABLE: readonly (readonly [ours: string, theirs: string])[] = [
  ...withBias("vlm.vision.patchEmbedding", `${VISION}.embeddings.patch_embedding`),
  ["vlm.vision.positionEmbedding.weight", `${VISION}.embeddings.position_embedding.weight`],
  ...withBias("vlm.vision.layers.{i}.key", `${VISION}.encoder.layers.{i}.self_attn.k_proj`),
  ...withBias("vlm.vision.layers.{i}.value", `${VISION}.encoder.layers.{i}.self_attn.v_proj`),
  ...withBias("vlm.vision.layers.{i}.query", `${VISION}.encoder.layers.{i}.self_attn.q_proj`),
  ...withBias("vlm.vision.layers.{i}.output", `${VISION}.encoder.layers.{i}.self_attn.out_proj`),
  ...withBias("vlm.vision.layers.{i}.inputNorm", `${VISION}.encoder.layers.{i}.layer_norm1`),
  ...withBias("vlm.vision.layers.{i}.up", `${VISION}.encoder.layers.{i}.mlp.fc1`),
  ...withBias("vlm.vision.layers.{i}.down", `${VISION}.encoder.layers.{i}.mlp.fc2`),
  ...withBias("vlm.vision.layers.{i}.mlpNorm", `${VISION}.encoder.layers.{i}.layer_norm2`),
  ...withBias("vlm.vision.finalNorm", `${VISION}.post_layernorm`),
  ["vlm.connector.projection.weight", `${VLM_PREFIX}model.connector.modality_projection.proj.weight`],
  ["vlm.tokenEmbedding.weight", `${TEXT}.embed_tokens.weight`],
  ...decoderLayer("vlm.layers.{i}", `${TEXT}.layers.{i}`),
  ["vlm.finalNorm.weight", `${TEXT}.norm.weight`],
  ["vlm.unusedHead.weight", `${VLM_PREFIX}lm_head.weight`],
  ...decoderLayer("expert.layers.{i}", `${EXPERT}.layers.{i}`),
  ["expert.finalNorm.weight", `${EXPERT}.norm.weight`],
  ...withBias("expert.stateIn", "model.state_proj"),
  ...withBias("expert.actionIn", "model.action_in_proj"),
  ...withBias("expert.actionOut", "model.action_out_proj"),
  ...withBias("expert.timeIn", "model.action_time_mlp_in"),
  ...withBias("expert.timeOut", "model.action_time_mlp_out"),
];

const LAYER = /\.layers\.(\d+)\./;
const indexed = (table: Iterable<readonly [string, string]>): ReadonlyMap<string, string> => new Map(table);
const TO_CHECKPOINT = indexed(TABLE);
const FROM_CHECKPOINT = indexed(TABLE.map(([ours, theirs]) => [theirs, ours] as const));

function translate(name: string, table: ReadonlyMap<string, string>): string | undefined {
  const layer = name.match(LAYER)?.[1];
  const pattern = layer === undefined ? name : name.replace(LAYER, ".layers.{i}.");
  return table.get(pattern)?.replace("{i}", layer ?? "");
}

/** Whether a parameter, by our own name, is a matrix of a low-rank correction, which published policies do not have. */
export const isLoraParameter = (name: string): boolean => /\.lora\.[ab]$/.test(name);

/** The published name of one of our parameters; PEFT's for matrices of a low-rank correction. */
export function toCheckpointName(ours: string): string {
  if (isLoraParameter(ours)) {
    const layer = toCheckpointName(ours.replace(/lora\.[ab]$/, "weight"));
    return layer.replace(/weight$/, ours.endsWith("a") ? "lora_A.weight" : "lora_B.weight");
  }
  const name = translate(ours, TO_CHECKPOINT);
  if (name === undefined) throw new Error(`internal: no checkpoint name for parameter ${ours}`);
  return name;
}

/** Our name of a published parameter, or undefined if SmolVLA has none of that name. */
export const fromCheckpointName = (theirs: string): string | undefined => translate(theirs, FROM_CHECKPOINT);

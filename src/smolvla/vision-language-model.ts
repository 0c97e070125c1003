/**
 * The vision-language model of a SmolVLA policy: images, language and state to keys and values per layer.
 *
 * Images and language never see the state, so the prefix is encoded in two parts: the context (images and language),
 * which teacher and student share, and one row for the state token, which depends on the policy's own state projection.
 *
 * Letters: `B` batch, `C` cameras, `N` context tokens, `D` width, `K` key/value heads, `E` head width.
 */
import {
  attend,
  Embedding,
  type InitialLaw,
  Module,
  type ParameterSource,
  RmsNorm,
  type Rotary,
  rotaryAngles,
  rotate,
  within,
} from "../nn/index.js";
import { ShapeError } from "../support/errors.js";
import {
  addScalar,
  cat,
  cumsum,
  expand,
  mulScalar,
  ones,
  scope,
  sumOver,
  type Tensor,
  tensor,
  toDevice,
  toDtype,
  unsqueeze,
} from "../torch/index.js";
import { Connector } from "./connector.js";
import { DecoderLayer } from "./decoder-layer.js";
import { VisionTower } from "./vision-tower.js";
import type { VlmConfig } from "./vlm-config.js";

/** SmolVLA rotates with this base, whatever the language model's own configuration says. */
export const ROTARY_BASE = 10_000;

/** One camera's images. */
export interface CameraImages {
  /** `[B, 3, height, width] in [-1, 1]` */
  readonly pixels: Tensor;
  /** `bool[B]`: false where this camera is absent */
  readonly mask: Tensor;
}

/** What the language model sees, apart from the state. */
export interface ContextInput {
  /** in the order of the policy's features; at least one */
  readonly cameras: readonly CameraImages[];
  /** `int64[B, T]` */
  readonly tokens: Tensor;
  /** `bool[B, T]`: false for padding */
  readonly tokenMask: Tensor;
}

/** Keys (rotated) and values of one layer, `[B, K, L, E]`. */
export interface KeyValue {
  readonly key: Tensor;
  readonly value: Tensor;
}

export interface Context {
  /** one entry per layer, L = N */
  readonly layers: readonly KeyValue[];
  /** `bool[B, N]`: false for padding and absent cameras */
  readonly mask: Tensor;
  /** `int64[B, 1]`: how many entries of the mask are true, which is the state token's position */
  readonly numValid: Tensor;
}

/** Ids of the tokens put around every image when `add_image_special_tokens` is on. */
export interface ImageTokenIds {
  readonly fakeImage: number;
  readonly globalImage: number;
}

export class VisionLanguageModel extends Module {
  readonly vision: VisionTower;
  readonly connector: Connector;
  readonly tokenEmbedding: Embedding;
  readonly layers: readonly DecoderLayer[];
  readonly finalNorm: RmsNorm;
  /** The language model's output head: never computed with, but part of every checkpoint. */
  readonly unusedHead: Embedding;
  readonly #headDim: number;
  readonly #imageTokenIds: ImageTokenIds | undefined;

  /** @param imageTokenIds given if every image is put between special tokens */
  constructor(source: ParameterSource, config: VlmConfig, numLayers: number, imageTokenIds?: ImageTokenIds) {
    super();
    const { text } = config;
    const law: InitialLaw = { kind: "normal", std: text.initializerRange };
    this.vision = new VisionTower(within(source, "vision"), config.vision, law);
    this.connector = new Connector(within(source, "connector"), config, law);
    this.tokenEmbedding = new Embedding(within(source, "tokenEmbedding"), text.vocabSize, text.hiddenSize, law);
    this.layers = Array.from(
      { length: numLayers },
      (_, i) => new DecoderLayer(within(within(source, "layers"), i), text, law),
    );
    this.finalNorm = new RmsNorm(within(source, "finalNorm"), text.hiddenSize, text.rmsNormEps);
    this.unusedHead = new Embedding(within(source, "unusedHead"), text.vocabSize, text.hiddenSize, law);
    this.#headDim = text.headDim;
    this.#imageTokenIds = imageTokenIds;
  }

  /** One camera's images as tokens, unscaled: `[B, 3, height, width]` -> `[B, numTokens, D]`. */
  embedImages(pixels: Tensor): Tensor {
    return this.connector.forward(this.vision.forward(pixels));
  }

  /** The context's embeddings `[B, N, D]` and mask `bool[B, N]`: cameras in order, then language. */
  embedContext(input: ContextInput): { embeddings: Tensor; mask: Tensor } {
    if (input.cameras.length === 0) throw new ShapeError("smolvla.encode: expected at least one camera, got none");
    const embeddings: Tensor[] = [];
    const masks: Tensor[] = [];
    const B = input.tokens.size(0);
    const append = (part: Tensor, mask: Tensor): void => {
      embeddings.push(part);
      masks.push(mask);
    };
    const appendSpecial = (ids: readonly number[]): void => {
      const indices = expand(toDevice(tensor(ids, [1, ids.length], "int64"), input.tokens.device), [B, ids.length]);
      append(this.tokenEmbedding.forward(indices), ones([B, ids.length], "bool", undefined, input.tokens.device));
    };
    for (const { pixels, mask } of input.cameras) {
      const ids = this.#imageTokenIds;
      if (ids) appendSpecial([ids.fakeImage, ids.globalImage]);
      const image = scope(() => this.embedImages(pixels));
      append(scaledBySqrtWidth(image, image.dtype), expand(unsqueeze(mask, 1), [B, image.size(1)]));
      if (ids) appendSpecial([ids.fakeImage]);
    }
    append(scaledBySqrtWidth(this.tokenEmbedding.forward(input.tokens)), input.tokenMask);
    const mask = cat(masks, 1);
    // The state joins in float32, so the whole prefix enters the first layer in float32.
    return {
      embeddings: cat(
        embeddings.map((part) => toDtype(part, "float32")),
        1,
      ),
      mask,
    };
  }

  /** Keys and values of images and language, which see each other and nothing else. */
  encodeContext(input: ContextInput): Context {
    const { embeddings, mask } = this.embedContext(input);
    const rotary = rotaryAngles(addScalar(cumsum(mask, 1), -1), this.#headDim, ROTARY_BASE);
    const visible = unsqueeze(unsqueeze(mask, 1), 1); // [B, 1, 1, N]
    const layers = this.#throughLayers(embeddings, rotary, visible, (own) => own);
    return { layers, mask, numValid: sumOver(mask, [1], true) };
  }

  /**
   * Keys and values of the state token, which sees images, language and itself.
   *
   * @param embedding the projected state, `[B, D]`
   * @returns one entry per layer, L = 1
   */
  encodeState(context: Context, embedding: Tensor): KeyValue[] {
    const rotary: Rotary = rotaryAngles(context.numValid, this.#headDim, ROTARY_BASE);
    const self = ones([context.mask.size(0), 1], "bool", undefined, context.mask.device);
    const visible = unsqueeze(unsqueeze(cat([context.mask, self], 1), 1), 1); // [B, 1, 1, N + 1]
    return this.#throughLayers(unsqueeze(toDtype(embedding, "float32"), 1), rotary, visible, (own, i) => {
      const { key, value } = context.layers[i]!;
      return { key: cat([key, own.key], 2), value: cat([value, own.value], 2) };
    });
  }

  /**
   * Runs tokens `[B, L, D]` through all layers and gives back their own keys and values per layer.
   *
   * @param seenBy what the tokens attend to in a layer, given their own keys and values there
   */
  #throughLayers(
    tokens: Tensor,
    rotary: Rotary,
    mask: Tensor,
    seenBy: (own: KeyValue, layer: number) => KeyValue,
  ): KeyValue[] {
    const layers: KeyValue[] = [];
    let x = tokens;
    for (const [i, layer] of this.layers.entries()) {
      const { own, next } = scope(() => {
        const normed = layer.inputNorm.forward(x);
        const own: KeyValue = { key: rotate(layer.keys(normed), rotary), value: layer.values(normed) };
        // Nobody reads the last layer's hidden states: only its keys and values leave the tower.
        if (i === this.layers.length - 1) return { own, next: undefined };
        const seen = seenBy(own, i);
        const attended = attend(rotate(layer.queries(normed), rotary), seen.key, seen.value, mask);
        return { own, next: layer.finish(x, attended) };
      });
      layers.push(own);
      if (next !== undefined) x = next;
    }
    return layers;
  }
}

/** Embeddings times sqrt(D). For images the factor is rounded to `dtype` first, as the reference does. */
function scaledBySqrtWidth(x: Tensor, dtype?: "float32" | "bfloat16" | string): Tensor {
  const factor = Math.sqrt(x.size(-1));
  return mulScalar(x, dtype === "bfloat16" ? roundToBfloat16(factor) : factor);
}

/** The nearest number with 8 significant bits (ties to even). */
function roundToBfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  const word = bits[0]!;
  bits[0] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0]!;
}

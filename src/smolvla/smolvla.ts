/** The SmolVLA network: a vision-language model that reads, an action expert that acts. It knows no flows. */
import { Module, mergedWeights, type ParameterSource, within } from "../nn/index.js";
import { clone, detach, keep, noGrad, scope, type Tensor, toDtype } from "../torch/index.js";
import { ActionExpert, type Prefix } from "./action-expert.js";
import type { SmolVLAConfig } from "./config.js";
import type { LoraConfig } from "./lora-config.js";
import { type Context, type ContextInput, type ImageTokenIds, VisionLanguageModel } from "./vision-language-model.js";
import type { VlmConfig } from "./vlm-config.js";

/** What the network sees of one moment. */
export interface ModelInput extends ContextInput {
  /** normalised and zero-padded, float32 `[B, maxStateDim]` */
  readonly state: Tensor;
}

export class SmolVLA extends Module {
  readonly vlm: VisionLanguageModel;
  readonly expert: ActionExpert;
  /** of the low-rank corrections in the network's linear layers, if it has any */
  adapter: LoraConfig | undefined = undefined;
  /** whether the vision-language model is another network's, which would change with it */
  readonly borrowsModel: boolean;
  readonly #config: SmolVLAConfig;
  readonly #vlmConfig: VlmConfig;

  private constructor(
    vlm: VisionLanguageModel,
    expert: ActionExpert,
    config: SmolVLAConfig,
    vlmConfig: VlmConfig,
    borrowsModel = false,
  ) {
    super();
    this.borrowsModel = borrowsModel;
    this.vlm = vlm;
    this.expert = expert;
    this.#config = config;
    this.#vlmConfig = vlmConfig;
  }

  /** Builds the network, asking `source` for every parameter. */
  static build(
    source: ParameterSource,
    config: SmolVLAConfig,
    vlmConfig: VlmConfig,
    imageTokenIds?: ImageTokenIds,
  ): SmolVLA {
    const numLayers = numLayersOf(config, vlmConfig);
    const tokens = config.addImageSpecialTokens ? imageTokenIds : undefined;
    if (config.addImageSpecialTokens && tokens === undefined) {
      throw new TypeError("internal: add_image_special_tokens needs the tokenizer's image token ids");
    }
    const vlm = new VisionLanguageModel(within(source, "vlm"), vlmConfig, numLayers, tokens);
    return new SmolVLA(
      vlm,
      new ActionExpert(within(source, "expert"), config, vlmConfig.text, numLayers),
      config,
      vlmConfig,
    );
  }

  /**
   * A second policy network on the same vision-language model (no second copy of it), with an expert of its own that
   * starts as a copy of this one's, with an adapter's corrections merged into the weights.
   */
  withCopiedExpert(config: SmolVLAConfig = this.#config): SmolVLA {
    const parameters = new Map(this.namedParameters());
    const merged = mergedWeights(this);
    const copyOf = (name: string): Tensor => {
      const parameter = detach(parameters.get(name)!);
      const weight = merged.get(name)?.();
      return weight === undefined ? clone(parameter) : toDtype(weight, parameter.dtype);
    };
    return this.withExpert((name) => scope(() => keep(noGrad(() => copyOf(name)))), config);
  }

  /**
   * A second policy network on the same vision-language model, whose expert's parameters `source` is asked for. The expert
   * may have another size; it must have as many layers of the language model.
   */
  withExpert(source: ParameterSource, config: SmolVLAConfig): SmolVLA {
    const numLayers = numLayersOf(this.#config, this.#vlmConfig);
    const expert = new ActionExpert(within(source, "expert"), config, this.#vlmConfig.text, numLayers);
    return new SmolVLA(this.vlm, expert, config, this.#vlmConfig, true);
  }

  /** Images and language, which policies on the same vision-language model can share. */
  encodeContext(input: ContextInput): Context {
    return this.vlm.encodeContext(input);
  }

  /** Adds this policy's own view of the state to a context. `state` is float32 `[B, maxStateDim]`. */
  extendContext(context: Context, state: Tensor): Prefix {
    return this.expert.attach(context, this.vlm.encodeState(context, this.expert.embedState(state)));
  }

  /** Everything about an observation that `velocity` needs; call it once per observation. */
  encodePrefix(input: ModelInput): Prefix {
    return this.extendContext(this.encodeContext(input), input.state);
  }

  /** The velocity `noise - actions` at noisy actions `[B, A, M]` and time `[B]`; see `ActionExpert.velocity`. */
  velocity(prefix: Prefix, noisyActions: Tensor, time: Tensor): Tensor {
    return this.expert.velocity(prefix, noisyActions, time);
  }
}

/** How many layers of the language model are kept. */
export const numLayersOf = (config: SmolVLAConfig, vlm: VlmConfig): number =>
  Math.min(config.numVlmLayers ?? vlm.text.numHiddenLayers, vlm.text.numHiddenLayers);

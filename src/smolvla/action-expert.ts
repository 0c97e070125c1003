/**
 * The action expert: a small transformer that reads the prefix and turns noisy actions and time into a velocity.
 *
 * Two kinds of layers alternate. A *joint* layer attends to the prefix's keys and values as the language model made them,
 * and causally to the actions. A *cross* layer attends to the prefix alone, through projections of its own; these do not
 * depend on the actions or on time, so they are computed once per prefix.
 *
 * Letters: `B` batch, `P` prefix tokens, `A` action steps, `M` action dimensions, `D` width, `H` heads, `K` key/value
 * heads, `E` head width.
 */
import {
  attend,
  type InitialLaw,
  Linear,
  Module,
  mergeHeads,
  type ParameterSource,
  RmsNorm,
  type Rotary,
  rotaryAngles,
  rotate,
  within,
} from "../nn/index.js";
import { ConfigError } from "../support/errors.js";
import {
  add,
  arange,
  cat,
  expand,
  expectShape,
  le,
  ones,
  recompute,
  scope,
  silu,
  type Tensor,
  toDtype,
  unsqueeze,
} from "../torch/index.js";
import { type SmolVLAConfig, usesCrossAttention } from "./config.js";
import { DecoderLayer } from "./decoder-layer.js";
import { timeEmbedding } from "./time-embedding.js";
import { type Context, type KeyValue, ROTARY_BASE } from "./vision-language-model.js";
import type { TextConfig } from "./vlm-config.js";

/** Everything about an observation that the expert needs at every step. Belongs to the expert that made it. */
export interface Prefix {
  /** one entry per layer, L = P: what that layer attends to */
  readonly layers: readonly KeyValue[];
  /** `bool[B, 1, A, P + A]`: prefix where valid, actions causally */
  readonly jointMask: Tensor;
  /** positions behind the prefix, for joint layers */
  readonly jointRotary: Rotary;
  /** `bool[B, 1, 1, P]` */
  readonly crossMask: Tensor;
  /** positions from 0, for cross layers */
  readonly crossRotary: Rotary;
}

/** All that a layer computes with, but its weights: hidden states, then what it reads of the prefix. */
type LayerInputs = [x: Tensor, key: Tensor, value: Tensor, mask: Tensor, cos: Tensor, sin: Tensor];
type Tail<T extends unknown[]> = T extends [unknown, ...infer Rest] ? Rest : never;

/** Width of the expert's MLP: 8/3 of its hidden width, up to the next multiple of 256. */
const intermediateSize = (hiddenSize: number): number => {
  const twoThirds = Math.floor((2 * hiddenSize) / 3);
  return 256 * Math.floor((4 * twoThirds + 255) / 256);
};

export class ActionExpert extends Module {
  readonly layers: readonly DecoderLayer[];
  readonly finalNorm: RmsNorm;
  readonly stateIn: Linear;
  readonly actionIn: Linear;
  readonly actionOut: Linear;
  readonly timeIn: Linear;
  readonly timeOut: Linear;
  /**
   * Whether layers forget what happens inside them and run a second time in a backward pass: less memory, more time.
   * Values and gradients are the same up to rounding.
   */
  recomputesLayers = false;
  readonly #config: SmolVLAConfig;
  readonly #width: number;
  readonly #headDim: number;
  /** language layers per expert layer: expert layer j reads what language layer j * stride made */
  readonly #stride: number;

  /** @param numVlmLayers layers of the language model that it reads */
  constructor(source: ParameterSource, config: SmolVLAConfig, text: TextConfig, numVlmLayers: number) {
    super();
    const D = Math.floor(text.hiddenSize * config.expertWidthMultiplier);
    const numLayers = config.numExpertLayers ?? numVlmLayers;
    checkGeometry(config, D, numLayers, numVlmLayers);
    this.#stride = numVlmLayers / numLayers;
    const size = { ...text, hiddenSize: D, intermediateSize: intermediateSize(D) };
    const law: InitialLaw = { kind: "normal", std: text.initializerRange };
    this.#config = config;
    this.#width = D;
    this.#headDim = text.headDim;
    this.layers = Array.from({ length: numLayers }, (_, i) => {
      const crossWidth = isJointLayer(config, i) ? undefined : text.numKeyValueHeads * text.headDim;
      return new DecoderLayer(within(within(source, "layers"), i), size, law, crossWidth);
    });
    this.finalNorm = new RmsNorm(within(source, "finalNorm"), D, text.rmsNormEps);
    const { maxStateDim, maxActionDim } = config;
    this.stateIn = new Linear(within(source, "stateIn"), maxStateDim, text.hiddenSize, { bias: true });
    this.actionIn = new Linear(within(source, "actionIn"), maxActionDim, D, { bias: true });
    this.actionOut = new Linear(within(source, "actionOut"), D, maxActionDim, { bias: true });
    this.timeIn = new Linear(within(source, "timeIn"), 2 * D, D, { bias: true });
    this.timeOut = new Linear(within(source, "timeOut"), D, D, { bias: true });
  }

  /** The state token's embedding: `[B, maxStateDim]` -> `[B, D_text]`. */
  embedState(state: Tensor): Tensor {
    return this.stateIn.forward(state);
  }

  /** Joins context and state rows into the prefix, and projects it for every cross layer. */
  attach(context: Context, state: readonly KeyValue[]): Prefix {
    const { chunkSize: A } = this.#config;
    const { device } = context.mask;
    const B = context.mask.size(0);
    const layers = this.layers.map((layer, i): KeyValue => {
      const [of, own] = [context.layers[i * this.#stride]!, state[i * this.#stride]!];
      const whole = (context: Tensor, row: Tensor): Tensor => cat([context, row], 2);
      if (isJointLayer(this.#config, i)) {
        return { key: whole(of.key, own.key), value: whole(of.value, own.value) };
      }
      const keys = (...parts: [Tensor, Tensor]): Tensor => layer.keys(mergeHeads(whole(...parts)));
      const values = (...parts: [Tensor, Tensor]): Tensor => layer.values(mergeHeads(whole(...parts)));
      return {
        key: this.#compute(keys, [of.key, own.key], layer.key),
        value: this.#compute(values, [of.value, own.value], layer.value),
      };
    });
    const valid = cat([context.mask, ones([B, 1], "bool", undefined, device)], 1); // [B, P]
    const steps = unsqueeze(arange(A, "int64", undefined, device), 0); // [1, A]
    const isPast = le(steps, unsqueeze(steps, 2)); // [1, A, A]: column no later than row
    const prefixPart = expand(unsqueeze(valid, 1), [B, A, valid.size(1)]);
    const firstPosition = add(context.numValid, ones([1], "int64", undefined, device)); // after the state token
    return {
      layers,
      jointMask: unsqueeze(cat([prefixPart, expand(isPast, [B, A, A])], 2), 1),
      jointRotary: rotaryAngles(add(firstPosition, steps), this.#headDim, ROTARY_BASE),
      crossMask: unsqueeze(unsqueeze(valid, 1), 1),
      crossRotary: rotaryAngles(steps, this.#headDim, ROTARY_BASE),
    };
  }

  /**
   * The velocity field `noise - actions` at noisy actions and time.
   *
   * @param noisyActions float32 `[B, A, M]` with A = chunk size and M the padded action width
   * @param time float32 `[B]`, 1 is noise and 0 is actions
   * @returns float32 `[B, A, M]`
   * @throws ShapeError
   */
  velocity(prefix: Prefix, noisyActions: Tensor, time: Tensor): Tensor {
    const { chunkSize, maxActionDim, minPeriod, maxPeriod } = this.#config;
    const known = { B: prefix.crossMask.size(0), A: chunkSize, M: maxActionDim };
    expectShape(noisyActions, "B A M", "smolvla.velocity: noisyActions", known);
    expectShape(time, "B", "smolvla.velocity: time", known);
    const actions = this.actionIn.forward(noisyActions); // [B, A, D]
    const when = toDtype(timeEmbedding(time, this.#width, minPeriod, maxPeriod), actions.dtype);
    const both = cat([actions, expand(unsqueeze(when, 1), actions.shape)], 2);
    let x = this.timeOut.forward(silu(this.timeIn.forward(both)));
    for (const i of this.layers.keys()) {
      const body = (...inputs: LayerInputs): Tensor => this.#throughLayer(i, inputs);
      x = this.#compute(body, [x, ...this.#seenBy(i, prefix)], this.layers[i]!);
    }
    return this.actionOut.forward(toDtype(this.finalNorm.forward(x), "float32"));
  }

  /** A result of which only its inputs are kept for a backward pass, if this expert is to save memory. */
  #compute<T extends Tensor[]>(body: (...inputs: T) => Tensor, inputs: T, module: Module): Tensor {
    if (!this.recomputesLayers) return scope(() => body(...inputs));
    return recompute(body as (...inputs: Tensor[]) => Tensor, inputs, module.parameters());
  }

  /** What a layer reads of the prefix. */
  #seenBy(i: number, prefix: Prefix): Tail<LayerInputs> {
    const { key, value } = prefix.layers[i]!;
    const [mask, rotary] = isJointLayer(this.#config, i)
      ? [prefix.jointMask, prefix.jointRotary]
      : [prefix.crossMask, prefix.crossRotary];
    return [key, value, mask, rotary.cos, rotary.sin];
  }

  /** `[B, A, D]` -> `[B, A, D]` */
  #throughLayer(i: number, [x, key, value, mask, cos, sin]: LayerInputs): Tensor {
    const layer = this.layers[i]!;
    const normed = layer.inputNorm.forward(x);
    const query = rotate(layer.queries(normed), { cos, sin });
    if (!isJointLayer(this.#config, i)) return layer.finish(x, attend(query, key, value, mask));
    const keys = cat([key, rotate(layer.keys(normed), { cos, sin })], 2);
    const values = cat([value, layer.values(normed)], 2);
    return layer.finish(x, attend(query, keys, values, mask));
  }
}

/**
 * @throws ConfigError for geometries that stock LeRobot cannot run either
 */
function checkGeometry(config: SmolVLAConfig, width: number, numLayers: number, numVlmLayers: number): void {
  const refuse = (path: string, message: string): never => {
    throw new ConfigError("smolvla", [{ path, message }]);
  };
  if (width < 4 || width % 2 !== 0) {
    refuse(
      "expert_width_multiplier",
      `expected one that gives the expert an even width of at least 4, got a width of ${width}`,
    );
  }
  if (numLayers === numVlmLayers) return;
  const every = config.selfAttnEveryNLayers;
  if (numVlmLayers % numLayers !== 0 || !usesCrossAttention(config) || (every !== undefined && every < numVlmLayers)) {
    refuse(
      "num_expert_layers",
      `expected ${numVlmLayers} (as many as the language model has), got ${numLayers}. Fewer work in LeRobot only if they divide that ` +
        `number and no layer but the first attends to itself (attention_mode "cross_attn", self_attn_every_n_layers 0 or at least ${numVlmLayers})`,
    );
  }
}

/** Whether an expert layer attends to its own actions (and to the prefix unprojected). */
export const isJointLayer = (config: SmolVLAConfig, layer: number): boolean =>
  !usesCrossAttention(config) ||
  (config.selfAttnEveryNLayers !== undefined && layer % config.selfAttnEveryNLayers === 0);

/** Weights into the network and out of it: from a policy's checkpoint, from a base model, or from nothing. */
import { join } from "node:path";
import { type InitialLaw, mergedWeights, type ParameterSource } from "../nn/index.js";
import { CheckpointError } from "../support/errors.js";
import { type SafetensorsSource, writeSafetensors } from "../support/safetensors.js";
import {
  empty,
  full,
  type Generator,
  keep,
  mapSafetensors,
  noGrad,
  normal_,
  type Tensor,
  tensorSource,
  toDevice,
  uniform_,
} from "../torch/index.js";
import { fromCheckpointName, isLoraParameter, toCheckpointName, VLM_PREFIX } from "./checkpoint-names.js";
import type { SmolVLAConfig } from "./config.js";
import { computeDtype, type Precision } from "./precision.js";
import { SmolVLA } from "./smolvla.js";
import type { ImageTokenIds } from "./vision-language-model.js";
import type { VlmConfig } from "./vlm-config.js";

export const WEIGHTS_FILE = "model.safetensors";

export interface BuildOptions {
  readonly config: SmolVLAConfig;
  readonly vlmConfig: VlmConfig;
  readonly imageTokenIds?: ImageTokenIds | undefined;
  readonly device: string;
  readonly precision: Precision;
}

/** A parameter of the wanted type and place; on the CPU in its own type it stays in the mapped file, uncopied. */
function placed(tensor: Tensor, name: string, { config, device, precision }: BuildOptions): Tensor {
  const parameter = keep(noGrad(() => toDevice(tensor, device, computeDtype(name, precision, config))));
  tensor.dispose();
  return parameter;
}

/** Draws on the CPU in float32, so that a seed gives the same start on every device and in every precision. */
export function drawInitial(shape: readonly number[], law: InitialLaw, generator: Generator): Tensor {
  if (law.kind === "constant") return full(shape, law.value, "float32");
  const values = empty(shape, "float32");
  return law.kind === "normal"
    ? normal_(values, 0, law.std, generator)
    : uniform_(values, -law.bound, law.bound, generator);
}

/** The published name of a tensor in a file that names it otherwise; undefined for one that is no weight. */
export type CurrentName = (stored: string) => string | undefined;

/** Takes tensors of a file one by one and remembers what was missing or did not fit. */
class FileReader {
  readonly #tensors: Map<string, Tensor>;
  readonly #path: string;
  readonly #missing: string[] = [];
  readonly #misshapen: string[] = [];

  private constructor(path: string, tensors: Map<string, Tensor>) {
    this.#path = path;
    this.#tensors = tensors;
  }

  /** @param currentName see `loadSmolVLA` */
  static async open(path: string, currentName: CurrentName = (stored) => stored): Promise<FileReader> {
    const tensors = new Map<string, Tensor>();
    const twice: string[] = [];
    for (const [stored, tensor] of await mapSafetensors(path)) {
      const name = currentName(stored);
      if (name !== undefined && !tensors.has(name)) tensors.set(name, tensor);
      else tensor.dispose();
      if (name !== undefined && tensors.get(name) !== tensor) twice.push(name);
    }
    if (twice.length > 0) {
      for (const tensor of tensors.values()) tensor.dispose();
      throw new CheckpointError(`smolvla.load: ${path}: expected every weight once, got "${twice[0]}" under two names`);
    }
    return new FileReader(path, tensors);
  }

  take(name: string, shape: readonly number[]): Tensor {
    const tensor = this.#tensors.get(name);
    this.#tensors.delete(name);
    if (tensor === undefined) this.#missing.push(name);
    else if (tensor.shape.join() !== shape.join()) {
      this.#misshapen.push(`"${name}": expected [${shape.join(", ")}], got [${tensor.shape.join(", ")}]`);
    } else return tensor;
    return full([], 0); // never computed with: `finish` throws
  }

  /** @throws CheckpointError listing what was missing, left over or of another shape */
  finish(isExpectedToRemain: (name: string) => boolean = () => false): void {
    const unexpected = [...this.#tensors.keys()].filter((name) => !isExpectedToRemain(name));
    for (const tensor of this.#tensors.values()) tensor.dispose();
    const missing = this.#missing;
    const where = `smolvla.load: ${this.#path}`;
    if (missing.length > 0 || unexpected.length > 0) {
      const first =
        missing[0] === undefined ? `first unexpected: "${unexpected[0]}"` : `first missing: "${missing[0]}"`;
      throw new CheckpointError(
        `${where}: ${missing.length} tensors missing and ${unexpected.length} unexpected (${first}). ${adviceFor(unexpected)}`,
      );
    }
    if (this.#misshapen.length > 0) {
      throw new CheckpointError(
        `${where}: ${this.#misshapen.length} tensors of another shape than config.json and the vision-language model's config give. ` +
          `First: ${this.#misshapen[0]}`,
      );
    }
  }
}

function adviceFor(unexpected: readonly string[]): string {
  if (unexpected.some((name) => /^(un)?normalize_/.test(name))) {
    return "This file keeps its normalisation inside the weights, as LeRobot did up to 0.3. A policy folder without processors is migrated when it is loaded; remove those beside this file if they are not its own";
  }
  if (unexpected.some((name) => name.includes("._orig_mod."))) {
    return "These are the names of a compiled model. Save the policy uncompiled";
  }
  return "Is this a SmolVLA checkpoint, and do config.json and the vision-language model belong to it?";
}

/**
 * The network of a policy folder. Values are taken from the file whatever their type there, as stock LeRobot does;
 * unlike it, a missing or unexpected tensor is an error.
 *
 * @param currentName for files whose tensors have other names than the published ones
 */
export async function loadSmolVLA(folder: string, options: BuildOptions, currentName?: CurrentName): Promise<SmolVLA> {
  const reader = await FileReader.open(join(folder, WEIGHTS_FILE), currentName);
  const model = SmolVLA.build(
    (name, shape) => placed(reader.take(toCheckpointName(name), shape), name, options),
    options.config,
    options.vlmConfig,
    options.imageTokenIds,
  );
  reader.finish();
  return model;
}

/**
 * A network that was never trained: the expert drawn at random, the vision-language model read from its own folder, or
 * drawn too if there is none.
 *
 * @param baseFolder folder with the published model's `model.safetensors`
 */
export async function initializeSmolVLA(
  options: BuildOptions,
  generator: Generator,
  baseFolder?: string,
): Promise<SmolVLA> {
  const reader = baseFolder === undefined ? undefined : await FileReader.open(join(baseFolder, WEIGHTS_FILE));
  const model = SmolVLA.build(
    (name, shape, law) => {
      const published = toCheckpointName(name);
      const tensor =
        reader !== undefined && published.startsWith(VLM_PREFIX)
          ? reader.take(published.slice(VLM_PREFIX.length), shape)
          : drawInitial(shape, law, generator);
      return placed(tensor, name, options);
    },
    options.config,
    options.vlmConfig,
    options.imageTokenIds,
  );
  // The policy keeps only the first layers of the language model.
  reader?.finish((name) => fromCheckpointName(VLM_PREFIX + name)?.startsWith("vlm.layers.") ?? false);
  return model;
}

/** Values of an expert that was never trained, drawn as for a new policy, for `SmolVLA.withExpert`. */
export const drawInitialExpert =
  (options: BuildOptions, generator: Generator): ParameterSource =>
  (name, shape, law) =>
    placed(drawInitial(shape, law, generator), name, options);

/** The network's shapes and counts without its memory: every parameter is on the meta device. */
export const describeSmolVLA = (config: SmolVLAConfig, vlmConfig: VlmConfig): SmolVLA =>
  SmolVLA.build(
    (name, shape) => keep(empty(shape, computeDtype(name, "bf16", config), undefined, "meta")),
    config,
    vlmConfig,
    { fakeImage: 0, globalImage: 0 },
  );

/** A weight that is made when its turn to be written comes, and freed then. */
const mergedSource = (shape: readonly number[], make: () => Tensor): SafetensorsSource => ({
  dtype: "float32",
  shape,
  bytes: () => {
    using weight = make();
    return tensorSource(weight).bytes();
  },
});

/**
 * Writes the network as a policy's `model.safetensors`, under the published names and in their order. An adapter's corrections
 * are merged into the weights.
 *
 * @param masters float32 values to write in place of a parameter's own, by our name: what an optimizer keeps of weights
 *   that are computed with in lower precision
 */
export async function saveSmolVLA(
  folder: string,
  model: SmolVLA,
  masters: ReadonlyMap<string, Tensor> = new Map(),
): Promise<void> {
  const tensors = new Map<string, SafetensorsSource>();
  const merged = mergedWeights(model, masters);
  for (const [name, parameter] of model.namedParameters()) {
    if (isLoraParameter(name)) continue;
    const make = merged.get(name);
    const source = make ? mergedSource(parameter.shape, make) : tensorSource(masters.get(name) ?? parameter);
    tensors.set(toCheckpointName(name), source);
  }
  await writeSafetensors(join(folder, WEIGHTS_FILE), tensors);
}

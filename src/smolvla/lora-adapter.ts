/** LoRA adapters of the network: added, loaded and saved in PEFT's files, merged into the weights. */
import { join } from "node:path";
import { Linear, Lora, type ParameterSource } from "../nn/index.js";
import { writeFileAtomically } from "../support/atomic-file.js";
import { CheckpointError, ConfigError } from "../support/errors.js";
import { makeFolder } from "../support/make-folder.js";
import { readJson } from "../support/read-json.js";
import { type SafetensorsSource, writeSafetensors } from "../support/safetensors.js";
import {
  clone,
  copy_,
  detach,
  disposeAll,
  type Generator,
  keep,
  mapSafetensors,
  noGrad,
  scope,
  type Tensor,
  tensorSource,
  toDevice,
} from "../torch/index.js";
import { type AdapterTargets, findAdapterTargets } from "./adapter-targets.js";
import { toCheckpointName } from "./checkpoint-names.js";
import { drawInitial } from "./load.js";
import { ADAPTER_CONFIG_FILE, type LoraConfig, loraScaling, parseLoraConfig, toLoraJson } from "./lora-config.js";
import type { SmolVLA } from "./smolvla.js";

export const ADAPTER_WEIGHTS_FILE = "adapter_model.safetensors";

/** What PEFT puts before all names. */
const PREFIX = "base_model.model.";
const matrixName = (layer: string, matrix: string): string => `${layer}.lora_${matrix.toUpperCase()}.weight`;

/** The parameters that belong to the network's adapter, by our names and in the order of the network. */
function ownParameters(model: SmolVLA, config: LoraConfig): ReadonlyMap<string, Tensor> {
  const { layers, saved } = findAdapterTargets(model, config);
  const matrices = new Set([...layers.values()].flatMap(({ lora }) => lora?.parameters() ?? []));
  return new Map([...model.namedParameters()].filter(([name, p]) => matrices.has(p) || saved.has(name)));
}

/**
 * Adds a correction that begins as zero: the network computes what it did.
 *
 * @throws ConfigError if the network has an adapter, or the configuration does not fit it
 */
export function addAdapter(model: SmolVLA, config: LoraConfig, generator: Generator): void {
  attach(
    model,
    config,
    findTargets(model, config, "adapter"),
    () => (_, shape, law) => drawInitial(shape, law, generator),
  );
}

function findTargets(model: SmolVLA, config: LoraConfig, where: string): AdapterTargets {
  if (model.adapter !== undefined) {
    throw new ConfigError(where, "expected a network without an adapter, got one that has one. Merge that first");
  }
  if (!Number.isInteger(config.rank) || config.rank < 1) {
    throw new ConfigError(where, [{ path: "r", message: `expected a whole number of at least 1, got ${config.rank}` }]);
  }
  return findAdapterTargets(model, config);
}

/** @param sourceOf gives a layer's matrices, by its published name */
function attach(
  model: SmolVLA,
  config: LoraConfig,
  { layers }: AdapterTargets,
  sourceOf: (layer: string) => ParameterSource,
): void {
  for (const [name, layer] of layers) {
    const { shape, device } = layer.weight;
    const source: ParameterSource = (...wanted) =>
      scope(() => noGrad(() => keep(clone(toDevice(sourceOf(name)(...wanted), device, "float32")))));
    layer.lora = new Lora(source, shape as [number, number], config.rank, loraScaling(config));
  }
  model.adapter = config;
}

/**
 * Puts an adapter, written by PEFT or by `saveAdapter`, onto the network of the policy that it was made for.
 *
 * @returns its configuration, and the policy that the folder names as its base
 * @throws CheckpointError if tensors are missing, left over or of another shape; ConfigError if its configuration asks for
 *   what there is not
 */
export async function loadAdapter(
  folder: string,
  model: SmolVLA,
): Promise<{ config: LoraConfig; base: string | undefined }> {
  const path = join(folder, ADAPTER_CONFIG_FILE);
  const { config, base } = parseLoraConfig(await readJson(path, "PEFT writes it beside an adapter's weights"), path);
  const targets = findTargets(model, config, path);
  const tensors = await mapSafetensors(join(folder, ADAPTER_WEIGHTS_FILE));
  try {
    expectTensors(join(folder, ADAPTER_WEIGHTS_FILE), tensors, expectedShapes(model, config, targets));
    attach(model, config, targets, (layer) => (matrix) => tensors.get(PREFIX + matrixName(layer, matrix))!);
    const parameters = new Map(model.namedParameters());
    scope(() =>
      noGrad(() => {
        for (const [ours, theirs] of targets.saved) {
          const parameter = parameters.get(ours)!;
          copy_(detach(parameter), toDevice(tensors.get(PREFIX + theirs)!, parameter.device));
        }
      }),
    );
  } finally {
    disposeAll(tensors);
  }
  return { config, base };
}

type Shapes = ReadonlyMap<string, readonly number[]>;

function expectedShapes(model: SmolVLA, { rank }: LoraConfig, { layers, saved }: AdapterTargets): Shapes {
  const shapes = new Map<string, readonly number[]>();
  for (const [name, { weight }] of layers) {
    shapes.set(PREFIX + matrixName(name, "a"), [rank, weight.size(1)]);
    shapes.set(PREFIX + matrixName(name, "b"), [weight.size(0), rank]);
  }
  for (const [ours, parameter] of model.namedParameters()) {
    const theirs = saved.get(ours);
    if (theirs !== undefined) shapes.set(PREFIX + theirs, parameter.shape);
  }
  return shapes;
}

function expectTensors(path: string, tensors: ReadonlyMap<string, Tensor>, shapes: Shapes): void {
  const missing = [...shapes.keys()].filter((name) => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !shapes.has(name));
  if (missing.length > 0 || unexpected.length > 0) {
    const first = missing[0] === undefined ? `first unexpected: "${unexpected[0]}"` : `first missing: "${missing[0]}"`;
    throw new CheckpointError(
      `${path}: ${missing.length} tensors missing and ${unexpected.length} unexpected (${first}). ` +
        "Does the adapter belong to this policy?",
    );
  }
  for (const [name, shape] of shapes) {
    const got = tensors.get(name)!.shape;
    if (got.join() === shape.join()) continue;
    throw new CheckpointError(
      `${path}: tensor "${name}": expected [${shape.join(", ")}], got [${got.join(", ")}]. Does the adapter belong to this policy?`,
    );
  }
}

export interface SaveAdapterOptions {
  /** folder or Hub id of the policy that is adapted, where LeRobot looks for the rest of the weights */
  readonly base?: string | undefined;
  /** float32 values to write in place of a parameter's own, by our name, see `saveSmolVLA` */
  readonly masters?: ReadonlyMap<string, Tensor>;
}

/**
 * Writes the adapter as PEFT does: `adapter_config.json` and `adapter_model.safetensors`.
 *
 * @throws ConfigError if the network has none
 */
export async function saveAdapter(
  folder: string,
  model: SmolVLA,
  { base, masters = new Map() }: SaveAdapterOptions = {},
): Promise<void> {
  const config = model.adapter;
  if (config === undefined) throw new ConfigError("adapter", "expected a network with an adapter, got one without");
  const tensors = new Map<string, SafetensorsSource>();
  for (const [name, parameter] of ownParameters(model, config)) {
    tensors.set(PREFIX + toCheckpointName(name), tensorSource(masters.get(name) ?? parameter));
  }
  await makeFolder(folder);
  await writeSafetensors(join(folder, ADAPTER_WEIGHTS_FILE), tensors);
  await writeFileAtomically(join(folder, ADAPTER_CONFIG_FILE), toLoraJson(config, base));
}

/** Adds every correction to the weight that it corrects, in place: a plain network is left. */
export function mergeAdapter(model: SmolVLA): void {
  for (const [, module] of model.namedModules()) {
    if (!(module instanceof Linear) || module.lora === undefined) continue;
    scope(() => noGrad(() => copy_(detach(module.weight), module.mergedWeight()!)));
    module.lora.dispose();
    module.lora = undefined;
  }
  model.adapter = undefined;
}

/**
 * Which parameters training changes in a network with an adapter: the corrections, and what the adapter saves as a whole.
 *
 * @returns a claim about a parameter, by our own field path
 */
export function adapterRule(model: SmolVLA): (name: string) => boolean {
  if (model.adapter === undefined) throw new TypeError("internal: the network has no adapter");
  const own = ownParameters(model, model.adapter);
  return (name) => own.has(name);
}

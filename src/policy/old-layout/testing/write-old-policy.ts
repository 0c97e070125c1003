import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { HostArray } from "../../../support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../../support/safetensors.js";

const FIXTURE = resolve("test/fixtures/tiny-smolvla");
const STATISTICS_FILE = "policy_preprocessor_step_5_normalizer_processor.safetensors";

/** Keys of `config.json` that LeRobot 0.3 did not know yet. */
const LATER_KEYS = ["use_peft", "pretrained_path", "rtc_config", "compile_model", "compile_mode"];

/** How an old folder differs from one that LeRobot 0.3 would have written for the fixture's teacher. */
export interface OldPolicyRecipe {
  /** mode of states and actions; undefined is MEAN_STD */
  readonly mode?: "MEAN_STD" | "MIN_MAX";
  /** changes to `config.json`; undefined removes a key */
  readonly config?: Readonly<Record<string, unknown>>;
  /** changes the tensors in the weights file, statistics and weights */
  readonly tensors?: (tensors: ReadonlyMap<string, HostArray>) => Iterable<readonly [string, HostArray]>;
}

/** The numbers that bfloat16 can hold, still as float32: what stock LeRobot's migration rounds weights to. */
const rounded = (array: HostArray): HostArray => {
  const bits = new Uint32Array((array.data as Float32Array).slice().buffer);
  return { ...array, data: new Float32Array(bits.map((value) => value & 0xffff0000).buffer) };
};

/** The fixture's statistics of a feature. */
export async function fixtureStatistics(feature: string, ...stats: readonly string[]): Promise<HostArray[]> {
  const all = await readSafetensors(join(FIXTURE, "teacher", STATISTICS_FILE));
  return stats.map((stat) => all.get(`${feature}.${stat}`)!);
}

/**
 * Writes the fixture's teacher as LeRobot up to 0.3 would have saved it, with weights that are exact in bfloat16, and its base
 * model beside it.
 */
export async function writeOldPolicy(folder: string, recipe: OldPolicyRecipe = {}): Promise<string> {
  const { mode = "MEAN_STD", config = {}, tensors: change = (tensors) => tensors } = recipe;
  mkdirSync(folder, { recursive: true });
  const base = join(dirname(folder), "base-vlm");
  if (!existsSync(base)) symlinkSync(join(FIXTURE, "base-vlm"), base);
  const tensors = new Map<string, HostArray>();
  const stats = mode === "MEAN_STD" ? ["mean", "std"] : ["min", "max"];
  for (const [normalizer, feature] of [
    ["normalize_inputs", "observation.state"],
    ["normalize_targets", "action"],
    ["unnormalize_outputs", "action"],
  ] as const) {
    const values = await fixtureStatistics(feature, ...stats);
    for (const [i, stat] of stats.entries()) {
      tensors.set(`${normalizer}.buffer_${feature.replaceAll(".", "_")}.${stat}`, values[i]!);
    }
  }
  for (const [name, array] of await readSafetensors(join(FIXTURE, "teacher", "model.safetensors"))) {
    tensors.set(name, rounded(array));
  }
  const sources = Array.from(change(tensors), ([name, array]) => [name, sourceOf(array)] as const);
  await writeSafetensors(join(folder, "model.safetensors"), new Map(sources));
  const json: Record<string, unknown> = {
    ...JSON.parse(readFileSync(join(FIXTURE, "teacher", "config.json"), "utf8")),
    normalization_mapping: { VISUAL: "IDENTITY", STATE: mode, ACTION: mode },
  };
  for (const key of LATER_KEYS) delete json[key];
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...json, ...config }, undefined, 4));
  return folder;
}

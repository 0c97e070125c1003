/** Changes to the files of a policy folder. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type HostArray, hostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { scope, tensorFromHost, toDtype } from "../../src/torch/index.js";

export const NORMALIZER = "policy_preprocessor_step_5_normalizer_processor.safetensors";
export const UNNORMALIZER = "policy_postprocessor_step_0_unnormalizer_processor.safetensors";
export const CONFIGS = ["config.json", "policy_preprocessor.json", "policy_postprocessor.json"] as const;

type Json = Record<string, unknown>;

/** Changes a JSON file in place. */
export function editJson(path: string, change: (json: Json) => void): void {
  const json = JSON.parse(readFileSync(path, "utf8")) as Json;
  change(json);
  writeFileSync(path, JSON.stringify(json, null, 4));
}

/** Changes the text of a file, which must then be another. */
export function editText(path: string, from: string | RegExp, to: string): void {
  const text = readFileSync(path, "utf8");
  const changed = text.replaceAll(from, to);
  if (changed === text) throw new Error(`${path} holds no ${from}`);
  writeFileSync(path, changed);
}

/** Gives every tensor of a file another value; undefined leaves it out. */
export async function editTensors(
  path: string,
  change: (name: string, tensor: HostArray) => HostArray | undefined,
): Promise<void> {
  const kept = [...(await readSafetensors(path))].flatMap(([name, tensor]) => {
    const changed = change(name, tensor);
    return changed === undefined ? [] : [[name, sourceOf(changed)] as const];
  });
  await writeSafetensors(path, new Map(kept));
}

/** Other entries of a float32 tensor; `i` is the place in row-major order. */
export const mapEntries = ({ shape, data }: HostArray, change: (value: number, i: number) => number): HostArray =>
  hostArray("float32", shape, Float32Array.from(data as Float32Array, change));

/** A tensor in another type. */
export const as = (tensor: HostArray, dtype: "float16" | "bfloat16"): HostArray =>
  scope(() => toDtype(tensorFromHost(tensor), dtype).toHost());

/** Processors as they are made without a dataset: their files name no statistics. */
export function removeStatistics(folder: string): void {
  for (const [json, state] of [
    ["policy_preprocessor.json", NORMALIZER],
    ["policy_postprocessor.json", UNNORMALIZER],
  ] as const) {
    editText(join(folder, json), /,\s*"state_file": "[^"]*"/g, "");
    rmSync(join(folder, state));
  }
}

/** Statistics of something else. */
export async function shiftStatistics(folder: string): Promise<void> {
  for (const file of [NORMALIZER, UNNORMALIZER]) {
    await editTensors(join(folder, file), (name, tensor) =>
      /\.(mean|std)$/.test(name) ? mapEntries(tensor, (value) => 2 * value + 0.1) : tensor,
    );
  }
}

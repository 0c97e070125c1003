import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { largestDifference, loadTeacher, rawBatch, recorded } from "../../test/parity/fixture.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { CheckpointError, ConfigError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../support/safetensors.js";
import { Generator, noGrad, normal_, numLiveTensors, scope } from "../torch/index.js";
import { loadSmolVLA, saveSmolVLA } from "./load.js";
import { adapterRule, addAdapter, loadAdapter, mergeAdapter, saveAdapter } from "./lora-adapter.js";
import { DEFAULT_LORA, LEROBOT_TARGETS, type LoraConfig } from "./lora-config.js";
import type { Precision } from "./precision.js";
import type { SmolVLA } from "./smolvla.js";

const LORA: LoraConfig = { ...DEFAULT_LORA, rank: 4, alpha: 6 };
const BASE = "base_model.model.model";

const policies = new Map<Precision, SmolVLAPolicy>();
let raw: Awaited<ReturnType<typeof rawBatch>>;
let noise: HostArray;

beforeAll(async () => {
  for (const precision of ["fp32", "bf16"] as const) policies.set(precision, await loadTeacher(precision));
  raw = await rawBatch();
  noise = (await recorded("parity/forward.safetensors")).get("noise")!;
});
afterAll(() => {
  for (const policy of policies.values()) policy.dispose();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lora-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The teacher with an expert of its own. */
function student(precision: Precision = "fp32"): SmolVLA {
  const model = policies.get(precision)!.model.withCopiedExpert();
  onTestFinished(() => model.expert.dispose());
  return model;
}

/** The teacher once more, with a vision-language model of its own. */
async function another(): Promise<SmolVLA> {
  const { model } = await loadTeacher();
  onTestFinished(() => model.dispose());
  return model;
}

/** A network with an adapter that is not zero any more. */
function adapted(config: LoraConfig = LORA, precision: Precision = "fp32", model = student(precision)): SmolVLA {
  addAdapter(model, config, new Generator(1));
  using generator = new Generator(2);
  for (const [name, parameter] of model.namedParameters()) {
    if (name.endsWith(".lora.b")) noGrad(() => normal_(parameter, 0, 0.1, generator));
  }
  return model;
}

const actions = (model: SmolVLA, precision: Precision = "fp32"): HostArray =>
  policies.get(precision)!.with({ model }).predict(raw, { noise }).chunk;

describe("an adapter that was just added", () => {
  it.each(["fp32", "bf16"] as const)("changes no action, to the last bit, in %s", (precision) => {
    const model = student(precision);
    const before = actions(model, precision);
    addAdapter(model, LORA, new Generator(1));
    expect(actions(model, precision)).toEqual(before);
  });

  it("is what is trained, and nothing else but what it saves as a whole", () => {
    const trainedOf = (config: LoraConfig): string[] => {
      const model = student();
      addAdapter(model, config, new Generator(1));
      const isTrained = adapterRule(model);
      return Array.from(model.namedParameters(), ([name]) => name).filter(isTrained);
    };
    const all = trainedOf(LORA);
    expect(all).toHaveLength(4 * 7 * 2);
    expect(all.every((name) => /^expert\.layers\.\d\.\w+\.lora\.[ab]$/.test(name))).toBe(true);
    const withProjection = trainedOf({ ...LORA, modulesToSave: ["state_proj", "lm_expert.layers.1.input_layernorm"] });
    expect(withProjection.filter((name) => !all.includes(name))).toEqual([
      "expert.layers.1.inputNorm.weight",
      "expert.stateIn.weight",
      "expert.stateIn.bias",
    ]);
    const stock = trainedOf({ ...LORA, targetModules: LEROBOT_TARGETS });
    expect(stock).toHaveLength((4 * 2 + 5) * 2);
    expect(stock).toContain("expert.timeOut.lora.a");
  });

  it("draws its first matrices from the generator, within 1 / sqrt(inputs), and is float32", () => {
    const [a, b, c] = [1, 1, 2].map((seed) => {
      const model = student("bf16");
      addAdapter(model, LORA, new Generator(seed));
      return model.expert.layers[1]!.query.lora!;
    });
    expect([a!.a.dtype, a!.b.dtype]).toEqual(["float32", "float32"]);
    expect(a!.a.toNumbers()).toEqual(b!.a.toNumbers());
    expect(a!.a.toNumbers()).not.toEqual(c!.a.toNumbers());
    const bound = 1 / Math.sqrt(a!.a.size(1));
    const largest = Math.max(...a!.a.toNumbers().map(Math.abs));
    expect(largest).toBeLessThanOrEqual(bound);
    expect(largest).toBeGreaterThan(0.95 * bound);
    expect(new Set(a!.b.toNumbers())).toEqual(new Set([0]));
  });

  it("cannot be added twice", () => {
    expect(() => addAdapter(adapted(), LORA, new Generator(1))).toThrow(
      "adapter: expected a network without an adapter, got one that has one. Merge that first",
    );
  });

  it.each<[string, Partial<LoraConfig>, RegExp]>([
    ["a rank of 0", { rank: 0 }, /^adapter at r: expected a whole number of at least 1, got 0$/],
    [
      "another network's layers",
      { targetModules: ["q_proj"] },
      /shared with another policy, got ".*vision_model.*q_proj"/,
    ],
    ["another network's norms", { modulesToSave: ["input_layernorm"] }, /got ".*text_model.*input_layernorm.weight"/],
    ["an unknown layer", { targetModules: ["q_prj"] }, /^adapter at target_modules: \["q_prj"\] matches no layer$/],
    [
      "a norm",
      { targetModules: ["lm_expert.norm"] },
      /expected linear layers that are computed with, got a match for ".*norm"/,
    ],
    ["the unused head", { targetModules: ["lm_head"] }, /got a match for "model.vlm_with_expert.vlm.lm_head"/],
    ["a broken expression", { targetModules: "(q_proj" }, /expected a regular expression, got "\(q_proj" \(/],
    ["an expression of Python alone", { targetModules: "(?P<x>.*)q_proj" }, /expected a regular expression/],
    [
      "an unknown module to save",
      { modulesToSave: ["nothing"] },
      /at modules_to_save: "nothing" is the end of no module/,
    ],
  ])("is refused for %s, and the network stays as it was", (_, change, message) => {
    const model = student();
    const names = [...model.namedParameters()].length;
    expect(() => addAdapter(model, { ...LORA, ...change }, new Generator(1))).toThrow(ConfigError);
    expect(() => addAdapter(model, { ...LORA, ...change }, new Generator(1))).toThrow(message);
    expect([...model.namedParameters()].length).toBe(names);
    expect(model.adapter).toBeUndefined();
  });
});

describe("merging", () => {
  it.each<[Precision, boolean, number]>([
    ["fp32", false, 1e-5],
    ["fp32", true, 1e-5],
    ["bf16", false, 0.05],
  ])("leaves a plain network with the same actions: %s, rank-stabilised %s", (precision, useRslora, tolerance) => {
    const model = adapted({ ...LORA, targetModules: LEROBOT_TARGETS, useRslora }, precision);
    const before = actions(model, precision);
    const plain = actions(student(precision), precision);
    mergeAdapter(model);
    expect([...model.namedParameters()].some(([name]) => name.includes("lora"))).toBe(false);
    const after = actions(model, precision);
    expect(largestDifference(after, before)).toBeLessThanOrEqual(tolerance);
    expect(largestDifference(after, plain)).toBeGreaterThan(5 * tolerance);
  });

  it("happens by itself in a copied expert and in a saved policy", async () => {
    const model = adapted();
    const before = actions(model);
    const copy = model.withCopiedExpert();
    onTestFinished(() => copy.expert.dispose());
    expect(copy.adapter).toBeUndefined();
    expect(largestDifference(actions(copy), before)).toBeLessThanOrEqual(1e-5);

    const folder = temporaryFolder();
    await saveSmolVLA(folder, model);
    expect(actions(model)).toEqual(before);
    const policy = policies.get("fp32")!;
    const loaded = await loadSmolVLA(folder, policy);
    onTestFinished(() => loaded.dispose());
    expect(largestDifference(actions(loaded), before)).toBeLessThanOrEqual(1e-5);
  });
});

describe("a saved adapter", () => {
  const whole: LoraConfig = { ...LORA, modulesToSave: ["state_proj", "action_out_proj"] };

  it.each([LORA, whole, { ...LORA, useRslora: true, targetModules: ["q_proj", "down_proj"] }])(
    "has PEFT's names and gives the same actions again: %j",
    async (config) => {
      const model = adapted(config, "fp32", await another());
      if (config === whole) noGrad(() => normal_(model.expert.stateIn.weight, 0, 0.1, new Generator(5)));
      const folder = temporaryFolder();
      await saveAdapter(folder, model, { base: "some/policy" });
      const names = [...(await readSafetensors(join(folder, "adapter_model.safetensors"))).keys()];
      expect(names).toContain(`${BASE}.vlm_with_expert.lm_expert.layers.0.self_attn.q_proj.lora_A.weight`);
      expect(names.includes(`${BASE}.state_proj.weight`)).toBe(config === whole);

      const again = await another();
      const expected = actions(model);
      expect(actions(again)).not.toEqual(expected);
      expect(await loadAdapter(folder, again)).toEqual({ config, base: "some/policy" });
      expect(actions(again)).toEqual(expected);
    },
  );

  it("has float32 masters in place of parameters, where they are given", async () => {
    const model = adapted(whole, "bf16");
    const folder = temporaryFolder();
    const master = noGrad(() => normal_(model.expert.layers[0]!.query.lora!.a, 0, 1, new Generator(1)));
    await saveAdapter(folder, model, { masters: new Map([["expert.layers.0.query.lora.b", master]]) });
    const saved = await readSafetensors(join(folder, "adapter_model.safetensors"));
    const name = `${BASE}.vlm_with_expert.lm_expert.layers.0.self_attn.q_proj.lora_B.weight`;
    expect(saved.get(name)).toEqual(master.toHost());
  });

  it("or a saved policy takes averages of its matrices in place of its own, as an EMA gives them", async () => {
    const [model, averaged] = [adapted(), adapted()];
    const values = new Map([...averaged.namedParameters()].filter(([name]) => name.endsWith(".lora.b")));
    for (const value of values.values()) noGrad(() => normal_(value, 0, 0.1, new Generator(9)));
    const [folder, plain] = [temporaryFolder(), temporaryFolder()];
    await saveAdapter(folder, model, { masters: values });
    const again = student();
    await loadAdapter(folder, again);
    expect(actions(again)).toEqual(actions(averaged));
    await saveSmolVLA(plain, model, values);
    const loaded = await loadSmolVLA(plain, policies.get("fp32")!);
    onTestFinished(() => loaded.dispose());
    expect(largestDifference(actions(loaded), actions(averaged))).toBeLessThanOrEqual(1e-5);
  });

  it("is refused without an adapter", async () => {
    await expect(saveAdapter(temporaryFolder(), student())).rejects.toThrow(
      "adapter: expected a network with an adapter, got one without",
    );
  });
});

describe("an adapter folder that does not fit is refused, and the network stays as it was", () => {
  /** Saves an adapter, changes a file, and loads it. */
  async function loadChanged(change: (folder: string) => Promise<void> | void): Promise<unknown> {
    const folder = temporaryFolder();
    await saveAdapter(folder, adapted());
    await change(folder);
    const model = student();
    const [live, names] = [numLiveTensors(), [...model.namedParameters()].length];
    const error = await loadAdapter(folder, model).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect([numLiveTensors(), [...model.namedParameters()].length, model.adapter]).toEqual([live, names, undefined]);
    return error;
  }

  const withTensors =
    (change: (tensors: Map<string, HostArray>) => void) =>
    async (folder: string): Promise<void> => {
      const path = join(folder, "adapter_model.safetensors");
      const tensors = await readSafetensors(path);
      change(tensors);
      await writeSafetensors(path, new Map([...tensors].map(([name, array]) => [name, sourceOf(array)])));
    };
  const withConfig =
    (change: Record<string, unknown>) =>
    (folder: string): void => {
      const path = join(folder, "adapter_config.json");
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }));
    };
  const FIRST = `${BASE}.vlm_with_expert.lm_expert.layers.0.self_attn.q_proj.lora_A.weight`;

  it.each<[string, (folder: string) => Promise<void> | void, new (...args: never[]) => Error, string | RegExp]>([
    [
      "a missing tensor",
      withTensors((tensors) => tensors.delete(FIRST)),
      CheckpointError,
      `: 1 tensors missing and 0 unexpected (first missing: "${FIRST}"). Does the adapter belong to this policy?`,
    ],
    [
      "a tensor too many",
      withTensors((tensors) => tensors.set("more", tensors.get(FIRST)!)),
      CheckpointError,
      ': 0 tensors missing and 1 unexpected (first unexpected: "more")',
    ],
    ["another rank", withConfig({ r: 5 }), CheckpointError, /lora_A.weight": expected \[5, \d+\], got \[4, \d+\]/],
    ["no weights", (folder) => rmSync(join(folder, "adapter_model.safetensors")), CheckpointError, "adapter_model"],
    [
      "no configuration",
      (folder) => rmSync(join(folder, "adapter_config.json")),
      CheckpointError,
      "adapter_config.json: file not found. PEFT writes it beside an adapter's weights",
    ],
    ["another method", withConfig({ peft_type: "IA3" }), ConfigError, 'at peft_type: expected "LORA", got "IA3"'],
    ["no rank", withConfig({ r: undefined }), ConfigError, "at r: expected a number, got nothing"],
    [
      "an option of PEFT that there is not",
      withConfig({ use_dora: true }),
      ConfigError,
      "at use_dora: expected it switched off, got true: not available. Merge it in Python",
    ],
    ["ranks of single layers", withConfig({ rank_pattern: { q_proj: 2 } }), ConfigError, "at rank_pattern"],
    [
      "an initial law that changes the base",
      withConfig({ init_lora_weights: "pissa" }),
      ConfigError,
      "init_lora_weights",
    ],
    ["all linear layers", withConfig({ target_modules: "all-linear" }), ConfigError, 'got "all-linear"'],
  ])("for %s", async (_, change, kind, message) => {
    const error = await loadChanged(change);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
  });

  it("but not for options without effect", async () => {
    const folder = temporaryFolder();
    await saveAdapter(folder, adapted());
    withConfig({ lora_dropout: 0.1, task_type: "X", use_dora: false, peft_version: "9", new_config: null })(folder);
    const model = student();
    await loadAdapter(folder, model);
    expect(model.adapter).toEqual(LORA);
    scope(() => expect(actions(model)).toEqual(actions(adapted())));
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findAdapterTargets } from "./adapter-targets.js";
import { parseSmolVLAConfig } from "./config.js";
import { describeSmolVLA } from "./load.js";
import { DEFAULT_LORA, EXPERT_TARGETS, LEROBOT_TARGETS, type LoraConfig } from "./lora-config.js";
import { parseVlmConfig } from "./vlm-config.js";

const GEOMETRY = "test/fixtures/smolvlm2-500m-geometry/config.json";
const vlmConfig = parseVlmConfig(JSON.parse(readFileSync(GEOMETRY, "utf8")), GEOMETRY);
const published = describeSmolVLA(parseSmolVLAConfig({ type: "smolvla" }, "config.json"), vlmConfig);

const targetsOf = (change: Partial<LoraConfig>) => findAdapterTargets(published, { ...DEFAULT_LORA, ...change });

describe("at the published geometry", () => {
  it("rank 32 on all layers of the expert has 7 % of the expert's parameters", () => {
    const { layers, saved } = targetsOf({});
    const sizes = [...layers.values()].map(({ weight }) => 32 * (weight.size(0) + weight.size(1)));
    expect([layers.size, saved.size]).toEqual([16 * 7, 0]);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(6_832_128); // of 98,245,840
  });

  it.each<[string, LoraConfig["targetModules"], number]>([
    ["the expert's expression", EXPERT_TARGETS, 16 * 7],
    ["LeRobot's own expression", LEROBOT_TARGETS, 16 * 2 + 5],
    ["the end of a name after a dot, in every tower", ["q_proj"], 12 + 16 + 16],
    ["a longer end", ["self_attn.o_proj"], 16 + 16],
    ["a whole name", ["model.vlm_with_expert.lm_expert.layers.3.mlp.up_proj"], 1],
    ["several", ["action_in_proj", "action_out_proj", "modality_projection.proj"], 3],
    ["an expression, of a whole name and not a part", String.raw`.*lm_expert\.layers\.[01]\.mlp\.\w+`, 2 * 3],
  ])("%s names %#", (_, targetModules, count) => {
    expect(targetsOf({ targetModules }).layers.size).toBe(count);
  });

  it.each(["roj", "rojection.proj", "lm_expert"])("the part %j of a name is none", (name) => {
    expect(() => targetsOf({ targetModules: [name] })).toThrow(/matches no layer|linear layers/);
  });

  it("what is saved as a whole is not corrected, and its end of a name may begin anywhere", () => {
    const { layers, saved } = targetsOf({
      targetModules: LEROBOT_TARGETS,
      modulesToSave: ["action_in_proj", "tate_proj"],
    });
    expect(layers.size).toBe(16 * 2 + 3);
    expect([...saved]).toEqual([
      ["expert.stateIn.weight", "model.state_proj.weight"],
      ["expert.stateIn.bias", "model.state_proj.bias"],
      ["expert.actionIn.weight", "model.action_in_proj.weight"],
      ["expert.actionIn.bias", "model.action_in_proj.bias"],
    ]);
  });

  it("a module with others inside is saved with all of them", () => {
    const { saved } = targetsOf({ modulesToSave: ["lm_expert.layers.2.mlp"] });
    expect([...saved.keys()]).toEqual(["gate", "up", "down"].map((name) => `expert.layers.2.${name}.weight`));
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseSmolVLAConfig } from "./config.js";
import { describeSmolVLA } from "./load.js";
import { NETWORK_PARTS, networkPart } from "./network-part.js";
import { type FreezePattern, freezeRule, isTrainable } from "./trainable.js";
import { parseVlmConfig } from "./vlm-config.js";

const GEOMETRY = "test/fixtures/smolvlm2-500m-geometry/config.json";
const vlmConfig = parseVlmConfig(JSON.parse(readFileSync(GEOMETRY, "utf8")), GEOMETRY);
const withSettings = (settings: Record<string, unknown> = {}) =>
  parseSmolVLAConfig({ type: "smolvla", ...settings }, "config.json");
const networkWith = (settings: Record<string, unknown>) => describeSmolVLA(withSettings(settings), vlmConfig);
const published = networkWith({});

function numTrainable(settings: Record<string, unknown>, pattern: FreezePattern): number {
  const isTrained = freezeRule(pattern, withSettings(settings), vlmConfig);
  let count = 0;
  for (const [name, parameter] of published.namedParameters()) if (isTrained(name)) count += parameter.numElements;
  return count;
}

/** Parts of the published geometry that settings freeze or leave alone. */
const [EXPERT, STATE, VISION, VLM, HEAD, LAYER, NORM] = [
  98_245_840 + 1_635_152,
  31_680,
  86_433_024,
  350_165_184,
  47_308_800,
  9_832_320,
  960,
];

describe("of the 450,046,176 parameters of the published geometry", () => {
  const combinations = [true, false].flatMap((only) =>
    [true, false].flatMap((vision) => [true, false].map((state) => ({ only, vision, state }))),
  );
  it.each(combinations)(
    "training changes those of the parts left free: train_expert_only $only, freeze_vision_encoder $vision, train_state_proj $state",
    ({ only, vision, state }) => {
      const settings = { train_expert_only: only, freeze_vision_encoder: vision, train_state_proj: state };
      const expert = EXPERT - (state ? 0 : STATE);
      const language = only ? 0 : VLM - HEAD - (vision ? VISION : 0);
      expect(published.numParameters).toBe(450_046_176);
      expect(numTrainable(settings, "0.4")).toBe(expert + language);
      expect(numTrainable(settings, "0.6")).toBe(expert + language - (only ? 0 : LAYER + NORM));
    },
  );

  it.each([
    ["0.4", { train_expert_only: true, freeze_vision_encoder: true }, 99_880_992],
    ["0.4", { train_state_proj: false }, 99_849_312],
    ["0.4", { train_expert_only: false, freeze_vision_encoder: false }, 402_737_376],
    ["0.6", {}, 99_880_992],
    ["0.6", { train_expert_only: false, freeze_vision_encoder: false }, 392_904_096],
  ] as const)(
    "training by the rule of LeRobot %s with %j changes %i, as LeRobot says",
    (pattern, settings, expected) => {
      expect(numTrainable(settings, pattern)).toBe(expected);
    },
  );
});

describe("the rule of LeRobot 0.6.1", () => {
  /** Parameters that the rule freezes although the rule of 0.4 trains them, without their ends. */
  function alsoFrozen(settings: Record<string, unknown>): string[] {
    const config = withSettings({ train_expert_only: false, freeze_vision_encoder: false, ...settings });
    const isTrained = freezeRule("0.6", config, vlmConfig);
    const names = Array.from(networkWith(settings).namedParameters(), ([name]) => name);
    const frozen = names.filter((name) => isTrainable(name, config) && !isTrained(name));
    return [
      ...new Set(
        frozen.map((name) =>
          name
            .split(".")
            .slice(0, name.includes(".layers.") ? 3 : 2)
            .join("."),
        ),
      ),
    ];
  }

  it("counts the language layers that the policy keeps", () => {
    expect(alsoFrozen({})).toEqual(["vlm.layers.15", "vlm.finalNorm"]);
    expect(alsoFrozen({ num_vlm_layers: 2 })).toEqual(["vlm.layers.1", "vlm.finalNorm"]);
    expect(alsoFrozen({ num_vlm_layers: 0 })).toEqual(["vlm.layers.31", "vlm.finalNorm"]);
  });

  it("freezes two language layers under an expert with fewer layers, as LeRobot does", () => {
    expect(alsoFrozen({ num_expert_layers: 8, self_attn_every_n_layers: 0 })).toEqual([
      "vlm.layers.14",
      "vlm.layers.15",
      "vlm.finalNorm",
    ]);
    expect(alsoFrozen({ num_expert_layers: 16 })).toEqual(["vlm.layers.15", "vlm.finalNorm"]);
  });
});

describe("the parts of the network", () => {
  it("hold as many parameters as in the published checkpoint", () => {
    const counts = new Map(NETWORK_PARTS.map((part) => [part, 0]));
    for (const [name, parameter] of published.namedParameters()) {
      const part = networkPart(name);
      counts.set(part, counts.get(part)! + parameter.numElements);
    }
    expect(Object.fromEntries(counts)).toEqual({
      vision: 86_433_024,
      connector: 11_796_480,
      text: 204_626_880,
      lm_head: 47_308_800,
      expert: 98_245_840,
      projections: 1_635_152,
    });
  });

  it("are those of parameters alone", () => {
    expect(() => networkPart("head.weight")).toThrow("internal: no part of the network for parameter head.weight");
  });
});

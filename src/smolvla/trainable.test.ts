import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseSmolVLAConfig } from "./config.js";
import { describeSmolVLA } from "./load.js";
import { NETWORK_PARTS, networkPart } from "./network-part.js";
import { isTrainable } from "./trainable.js";
import { parseVlmConfig } from "./vlm-config.js";

const GEOMETRY = "test/fixtures/smolvlm2-500m-geometry/config.json";
const vlmConfig = parseVlmConfig(JSON.parse(readFileSync(GEOMETRY, "utf8")), GEOMETRY);
const withSettings = (settings: Record<string, unknown> = {}) =>
  parseSmolVLAConfig({ type: "smolvla", ...settings }, "config.json");
const published = describeSmolVLA(withSettings(), vlmConfig);

function numTrainable(settings: Record<string, unknown>): number {
  const config = withSettings(settings);
  let count = 0;
  for (const [name, parameter] of published.namedParameters()) {
    if (isTrainable(name, config)) count += parameter.numElements;
  }
  return count;
}

describe("of the 450,046,176 parameters of the published geometry", () => {
  it.each([
    ["the expert and all projections by default", {}, 99_880_992],
    ["no state projection without train_state_proj", { train_state_proj: false }, 99_849_312],
    [
      "all but the unused head without both freezes",
      { train_expert_only: false, freeze_vision_encoder: false },
      402_737_376,
    ],
    ["no vision tower if that is frozen", { train_expert_only: false }, 402_737_376 - 86_433_024],
  ])("training changes %s", (_, settings, expected) => {
    expect(published.numParameters).toBe(450_046_176);
    expect(numTrainable(settings)).toBe(expected);
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

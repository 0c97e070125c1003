/** Geometries that stock LeRobot cannot run are refused with the reason; those that it can run are built. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseSmolVLAConfig } from "./config.js";
import { describeSmolVLA } from "./load.js";
import { parseVlmConfig } from "./vlm-config.js";

const TINY = "test/fixtures/tiny-smolvla";
const read = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, "utf8"));
const vlm = parseVlmConfig(read(`${TINY}/base-vlm/config.json`), "base-vlm");
/** The fixture's policy has 4 language layers; its expert attends to itself in every second one. */
const build = (changes: object) =>
  describeSmolVLA(parseSmolVLAConfig({ ...read(`${TINY}/teacher/config.json`), ...changes }, "config.json"), vlm);

it.each([
  ["every second layer attends to itself", { num_expert_layers: 2 }, 2],
  ["they do not divide", { num_expert_layers: 3, self_attn_every_n_layers: 0 }, 3],
  ["there are more than language layers", { num_expert_layers: 8, self_attn_every_n_layers: 0 }, 8],
  ["every layer attends to itself", { num_expert_layers: 2, attention_mode: "self_attn" }, 2],
])("other numbers of expert layers are refused where %s", (_, changes, given) => {
  expect(() => build(changes)).toThrow(
    `smolvla at num_expert_layers: expected 4 (as many as the language model has), got ${given}. Fewer work in LeRobot only if`,
  );
});

it.each([0, 4, 8])("fewer expert layers are built with self_attn_every_n_layers %i", (every) => {
  const model = build({ num_expert_layers: 2, self_attn_every_n_layers: every });
  expect(model.expert.layers).toHaveLength(2);
  expect(model.vlm.layers).toHaveLength(4);
});

it("an expert of odd width is refused", () => {
  expect(() => build({ expert_width_multiplier: 0.35 })).toThrow(
    "smolvla at expert_width_multiplier: expected one that gives the expert an even width of at least 4, got a width of 33",
  );
});

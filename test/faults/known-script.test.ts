/** A student as the reflow scripts that circulate leave one: what the doctor says is wrong with it. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { actionDim } from "../../src/smolvla/config.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { loadTeacher } from "../parity/fixture.js";
import { TEACHER, teacherWith } from "../runs/training-run.js";
import { alarms } from "./diagnosed.js";
import { as, CONFIGS, editJson, editTensors, mapEntries, removeStatistics } from "./edit-policy.js";

/**
 * Processors made from a bare configuration, without features and statistics; noise and loss in the robot's dimensions alone;
 * weights in 16 bits without masters at a rate that is rounded away, and a "decay" that rises.
 */
async function scriptStudent(): Promise<string> {
  const teacher = await loadTeacher();
  const numReal = actionDim(teacher.config);
  teacher.dispose();
  const folder = teacherWith(() => {});
  removeStatistics(folder);
  for (const file of CONFIGS.slice(1)) {
    editJson(join(folder, file), (json) => {
      for (const { config } of json.steps as { config: Record<string, unknown> }[]) {
        if (config.norm_map === undefined) continue;
        config.features = {};
        config.norm_map = { VISUAL: "IDENTITY", STATE: "MIN_MAX", ACTION: "MIN_MAX" };
      }
    });
  }
  await editTensors(join(folder, "model.safetensors"), (name, tensor) => {
    if (name.includes(".lm_expert.")) return as(tensor, "bfloat16");
    const [, width] = tensor.shape as [number, number];
    const nudged = (moves: (i: number) => boolean) =>
      mapEntries(tensor, (value, i) => (moves(i) ? value * (1 + 1e-3 * Math.sin(i)) : value));
    if (name === "model.action_in_proj.weight") return nudged((i) => i % width < numReal);
    if (name === "model.action_out_proj.weight") return nudged((i) => i < numReal * width);
    return /^model\.(state|action).*proj|^model\.action_time/.test(name) ? nudged((i) => i > 0) : tensor;
  });
  cpSync(join(TEACHER, "config.json"), join(folder, "config.json"));
  editJson(join(folder, "config.json"), () => {});
  cpSync(join(TEACHER, "config.json"), join(folder, "train_config.json"));
  editJson(join(folder, "train_config.json"), (json) => {
    for (const key of Object.keys(json)) delete json[key];
    Object.assign(json, {
      policy: { type: "smolvla", optimizer_lr: 1e-7, scheduler_decay_lr: 2.5e-6 },
      scheduler: { type: "cosine_decay_with_warmup", peak_lr: 1e-7, decay_lr: 2.5e-6 },
    });
  });
  return folder;
}

it("is told of its statistics first, then of each other fault that its files and weights show", async () => {
  const student = await scriptStudent();
  const found = await alarms({ student });
  expect(found.map(({ id, verdict }) => `${id}: ${verdict}`)).toEqual([
    "student-statistics: fault",
    "learning-rate: fault",
    "frozen-weights: fault",
    "noise-width: fault",
    "padded-loss: warning",
  ]);
  expect(found[0]!.evidence).toContain("observation.state.min for MIN_MAX in policy_preprocessor step 5");
  expect(found[0]!.remedy).toContain("Take the teacher's processors with their state files");
  expect((await readSafetensors(join(student, "model.safetensors"))).size).toBe(124);
});

/** Runs and policies of many kinds that are as they should be: the gate, the health watch and the doctor raise no alarm. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeOldPolicy } from "../../src/policy/old-layout/testing/write-old-policy.js";
import { BASE_VLM, lastCheckpoint, RUNS, TEACHER, teacherWith, trainIn } from "../runs/training-run.js";
import { alarms } from "./diagnosed.js";
import { as, CONFIGS, editJson, editTensors } from "./edit-policy.js";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "reflow-good-"));
});
afterAll(() => rmSync(root, { recursive: true }));

const REFLOW = [
  ...RUNS.reflow,
  "--policy.reflow_num_inference_steps=10",
  "--policy.optimizer_lr=1e-4",
  "--policy.scheduler_decay_lr=1e-5",
  "--steps=6",
];

/** Trains under the watch, which must be silent. @returns the run's policy */
async function train(name: string, ...flags: readonly string[]): Promise<string> {
  const run = join(root, name.replaceAll(" ", "-"));
  const log = await trainIn(run, ...flags, "--health=stop");
  expect(log).not.toContain("health");
  return join(lastCheckpoint(run), "pretrained_model");
}

describe("students", () => {
  it.each<[string, ...string[]]>([
    ["of a reflow run"],
    ["distilled to one step", "--reflow.stage=distill", "--policy.num_steps=1"],
    ["of one step without padded dimensions", "--reflow.padded_dims=mask", "--policy.num_steps=1"],
    ["with zeros in padded dimensions", "--reflow.padded_dims=zero"],
    ["of Heun's method and several noises", "--reflow.teacher_solver=heun", "--reflow.noises_per_observation=2"],
    ["with real data", "--reflow.real.share=0.5"],
    ["with an adapter", "--peft.r=4", "--policy.optimizer_lr=1e-3"],
    ["computed in bfloat16", "--precision=bf16"],
    ["of a moving average", "--ema.decay=0.9"],
    ["measured on held-out episodes", "--eval_freq=3", "--held_out.num_observations=2", "--held_out.num_noises=4"],
  ])("%s", async (name, ...flags) => {
    const student = await train(name, ...REFLOW, ...flags);
    expect(await alarms({ student })).toEqual([]);
  });

  it("of a second round, beside the first one's student", async () => {
    const first = await train("first round", ...REFLOW);
    const second = await train("second round", ...REFLOW, `--policy.teacher_model_path=${first}`);
    expect(await alarms({ teacher: first, student: second })).toEqual([]);
    expect(await alarms({ student: second })).toEqual([]); // beside the first round's teacher
  });
});

describe("adapters", () => {
  it("merged into a policy that is kept in 16 bits", async () => {
    const student = await train("adapter in 16 bits", ...REFLOW, "--peft.r=4", "--policy.optimizer_lr=1e-3");
    await editTensors(join(student, "model.safetensors"), (name, tensor) =>
      name.includes(".lm_expert.") ? as(tensor, "bfloat16") : tensor,
    );
    expect(await alarms({ student })).toEqual([]);
  });

  it("as students, in their own format", async () => {
    const student = await train("adapter alone", ...REFLOW, "--peft.r=4", "--policy.optimizer_lr=1e-3");
    expect(await alarms({ student: join(student, "adapter") })).toEqual([]);
  });
});

describe("teachers", () => {
  it("alone, without a dataset", async () => {
    expect(await alarms({ dataset: undefined })).toEqual([]);
  });

  it("with a dataset", async () => {
    expect(await alarms({})).toEqual([]);
  });

  it("fine-tuned on demonstrations", async () => {
    const teacher = await train("flow matching", ...RUNS["flow matching"], "--policy.optimizer_lr=1e-5", "--steps=3");
    expect(await alarms({ teacher })).toEqual([]);
  });

  it("that see one of the dataset's two cameras", async () => {
    const teacher = teacherWith((folder) => {
      for (const file of CONFIGS.slice(0, 2)) {
        editJson(join(folder, file), (json) => {
          const steps = (json.steps ?? []) as { config: Record<string, unknown> }[];
          for (const features of [json.input_features, ...steps.map(({ config }) => config.features)]) {
            if (features) delete (features as Record<string, unknown>)["observation.images.wrist"];
          }
        });
      }
    });
    expect(await alarms({ teacher })).toEqual([]);
  });

  it("in the layout of old LeRobot", async () => {
    expect(await alarms({ teacher: await writeOldPolicy(join(root, "old")) })).toEqual([]);
  });

  it("moved to another place, with their student", async () => {
    cpSync(BASE_VLM, join(root, "moved/base-vlm"), { recursive: true });
    cpSync(TEACHER, join(root, "moved/teacher"), { recursive: true });
    const student = await train("before the move", ...REFLOW);
    expect(await alarms({ teacher: join(root, "moved/teacher"), student })).toEqual([]);
  });
});

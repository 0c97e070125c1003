/** The gate before the first step: what it lets through, and what it refuses in which words. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ProcessorBatch } from "../../src/policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { hostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { checkStepZero } from "../../src/train/step-zero-gate.js";
import { loadTeacher, rawBatch } from "../parity/fixture.js";
import { RUNS, teacherWith, temporaryFolder, tryTraining } from "./training-run.js";

const NORMALIZER = "policy_preprocessor_step_5_normalizer_processor.safetensors";
const UNNORMALIZER = "policy_postprocessor_step_0_unnormalizer_processor.safetensors";

/** Changes a JSON file by its text. */
function editText(path: string, change: (text: string) => string): void {
  const text = readFileSync(path, "utf8");
  const changed = change(text);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
}

/** Adds 1 to the first entry of a tensor, or leaves tensors out. */
async function editTensors(path: string, change: { add?: string; remove?: RegExp }): Promise<void> {
  const tensors = await readSafetensors(path);
  for (const name of [...tensors.keys()]) if (change.remove?.test(name)) tensors.delete(name);
  if (change.add !== undefined) {
    const { dtype, shape, data } = tensors.get(change.add)!;
    const entries = Float32Array.from(data as Float32Array);
    entries[0]! += 1;
    tensors.set(change.add, hostArray(dtype, shape, entries));
  }
  await writeSafetensors(path, new Map([...tensors].map(([name, array]) => [name, sourceOf(array)])));
}

/** Runs reflow with a changed teacher, which must fail before anything is trained or left behind. */
async function refusal(teacher: string): Promise<string> {
  const run = temporaryFolder();
  const { code, err } = await tryTraining(run, ...RUNS.reflow, `--policy.teacher_model_path=${teacher}`, "--steps=1");
  expect(code).toBe(1);
  expect(err).not.toContain("Start training");
  expect(readdirSync(run)).toEqual([]);
  return err.slice(err.indexOf("step-0 gate: the "));
}

describe("a teacher whose actions would mean nothing", () => {
  it("is refused if its processors were saved without their statistics", async () => {
    const teacher = teacherWith((folder) => {
      for (const [json, state] of [
        ["policy_preprocessor.json", NORMALIZER],
        ["policy_postprocessor.json", UNNORMALIZER],
      ] as const) {
        rmSync(join(folder, state));
        editText(join(folder, json), (text) => text.replace(/,\s*"state_file": "[^"]*"/, ""));
      }
    });
    expect(await refusal(teacher)).toBe(
      "step-0 gate: the processors of the policy to start from have no statistics for features that its config.json normalises:\n" +
        "  - observation.state.mean for MEAN_STD in policy_preprocessor step 5 (normalizer_processor)\n" +
        "  - observation.state.std for MEAN_STD in policy_preprocessor step 5 (normalizer_processor)\n" +
        "  - action.mean for MEAN_STD in policy_preprocessor step 5 (normalizer_processor)\n" +
        "  - action.std for MEAN_STD in policy_preprocessor step 5 (normalizer_processor)\n" +
        "  - action.mean for MEAN_STD in policy_postprocessor step 0 (unnormalizer_processor)\n" +
        "  - action.std for MEAN_STD in policy_postprocessor step 0 (unnormalizer_processor)\n" +
        "Such a policy reads raw states and sends normalised actions to the robot. Give a policy folder saved after training, " +
        "with its normalizer and unnormalizer files; for a policy trained on demonstrations, a dataset with these statistics\n",
    );
  });

  it("is refused if its processors do not normalise what its config.json says is normalised", async () => {
    const teacher = teacherWith((folder) =>
      editText(join(folder, "policy_preprocessor.json"), (text) =>
        text.replace(/"STATE": "MEAN_STD"/, '"STATE": "IDENTITY"'),
      ),
    );
    expect(await refusal(teacher)).toContain("  - observation.state.mean for MEAN_STD in policy_preprocessor step 5");
  });

  it("is refused if its statistics are not those of its mode", async () => {
    const teacher = teacherWith((folder) => {
      for (const file of ["config.json", "policy_preprocessor.json", "policy_postprocessor.json"]) {
        editText(join(folder, file), (text) => text.replaceAll("MEAN_STD", "MIN_MAX"));
      }
    });
    await editTensors(join(teacher, NORMALIZER), { remove: /\.(min|max)$/ });
    expect(await refusal(teacher)).toMatch(
      /^step-0 gate: the processors of the policy to start from have no statistics .*:\n {2}- observation\.state\.min for MIN_MAX in policy_preprocessor step 5 \(normalizer_processor\)\n {2}- observation\.state\.max for MIN_MAX/,
    );
  });

  it("is refused if its weights are not finite", async () => {
    const teacher = teacherWith(() => {});
    const path = join(teacher, "model.safetensors");
    const tensors = await readSafetensors(path);
    (tensors.get("model.action_out_proj.bias")!.data as Float32Array)[0] = Number.NaN;
    await writeSafetensors(path, new Map([...tensors].map(([name, array]) => [name, sourceOf(array)])));
    const run = temporaryFolder();
    const { err } = await tryTraining(run, ...RUNS.reflow, `--policy.teacher_model_path=${teacher}`, "--steps=1");
    expect(err).toContain(
      "step-0 gate: expected finite actions from the policy to start from, got NaN or infinity. Look for them in its weights, " +
        "and in the states of the dataset's first and middle frame\n",
    );
    expect(readdirSync(run)).toEqual([]);
  });
});

describe("a student that is written as something else than its teacher", () => {
  let teacher: SmolVLAPolicy;
  let observation: ProcessorBatch;
  beforeAll(async () => {
    teacher = await loadTeacher();
    observation = await rawBatch();
  });

  /** Passes the gate with a writer that changes what it has written. */
  async function pass(corrupt: (folder: string) => Promise<void> | void, scratchFolder: string): Promise<void> {
    await checkStepZero({
      reference: teacher,
      writeStudent: async (folder) => {
        await teacher.save(folder);
        await corrupt(folder);
      },
      observation,
      scratchFolder,
      seed: 1,
    });
  }

  it("is let through if nothing differs but settings of training and sampling", async () => {
    const scratch = join(temporaryFolder(), "scratch");
    await pass((folder) => {
      editText(join(folder, "config.json"), (text) =>
        text
          .replace('"num_steps": 10', '"num_steps": 1')
          .replace('"optimizer_lr": 0.0001', '"optimizer_lr": 2e-05')
          .replace('"push_to_hub": false', '"push_to_hub": true'),
      );
    }, scratch);
    expect(existsSync(scratch)).toBe(false);
  });

  const DIFFERS =
    "step-0 gate: the untouched student, saved and loaded again, is not the policy it started from. What differs: ";

  it.each<[string, (folder: string) => Promise<void> | void, string]>([
    [
      "weights",
      (folder) => editTensors(join(folder, "model.safetensors"), { add: "model.action_out_proj.bias" }),
      `${DIFFERS}1 weights (first: expert.actionOut.bias)`,
    ],
    [
      "weights that no prediction uses",
      (folder) => editTensors(join(folder, "model.safetensors"), { add: "model.vlm_with_expert.vlm.lm_head.weight" }),
      `${DIFFERS}1 weights (first: vlm.unusedHead.weight)`,
    ],
    [
      "statistics of observations",
      (folder) => editTensors(join(folder, NORMALIZER), { add: "observation.state.mean" }),
      `${DIFFERS}statistics of the preprocessor`,
    ],
    [
      "statistics of actions",
      (folder) => editTensors(join(folder, UNNORMALIZER), { add: "action.std" }),
      `${DIFFERS}statistics of the postprocessor`,
    ],
    [
      "a processor's setting",
      (folder) =>
        editText(join(folder, "policy_preprocessor.json"), (text) =>
          text.replace('"max_length": 24', '"max_length": 4'),
        ),
      `${DIFFERS}steps of the preprocessor`,
    ],
    [
      "a setting of the network",
      (folder) =>
        editText(join(folder, "config.json"), (text) => text.replace('"max_period": 4.0', '"max_period": 8.0')),
      `${DIFFERS}max_period of config.json (4 and 8)`,
    ],
    [
      "several things",
      async (folder) => {
        editText(join(folder, "config.json"), (text) =>
          text.replace('"tokenizer_max_length": 24', '"tokenizer_max_length": 9'),
        );
        await editTensors(join(folder, UNNORMALIZER), { add: "action.mean" });
      },
      `${DIFFERS}tokenizer_max_length of config.json (24 and 9); statistics of the postprocessor`,
    ],
    [
      "missing weights",
      (folder) => editTensors(join(folder, "model.safetensors"), { remove: /action_out_proj\.bias/ }),
      "step-0 gate: the student cannot be saved and loaded again: smolvla.load: ",
    ],
    [
      "missing statistics",
      (folder) => editTensors(join(folder, NORMALIZER), { remove: /^observation\.state\.mean/ }),
      "step-0 gate: the processors of the saved student have no statistics for features that its config.json normalises:\n" +
        "  - observation.state.mean for MEAN_STD",
    ],
    [
      "nothing, as on a full disk",
      () => {
        throw new Error("ENOSPC: no space left on device");
      },
      "step-0 gate: the student cannot be saved and loaded again: ENOSPC: no space left on device",
    ],
  ])("is refused: %s", async (_, corrupt, message) => {
    const scratch = join(temporaryFolder(), "scratch");
    const error = await pass(corrupt, scratch).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.name).toBe("CheckpointError");
    expect(error?.message.slice(0, message.length)).toBe(message);
    if (message.startsWith(DIFFERS)) expect(error?.message).toBe(message);
    expect(existsSync(scratch)).toBe(false);
  });
});

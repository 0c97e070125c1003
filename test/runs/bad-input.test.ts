/** What a user reads when a training run cannot start: the place, what was expected, what was found, what to do. */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { writeDataset } from "../../src/data/testing/write-dataset.js";
import { hostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import {
  BASE_VLM,
  changedCopy,
  changedNames,
  DATASET,
  RUNS,
  TEACHER,
  teacherWith,
  temporaryFolder,
  train,
  trainedWeights,
  tryTraining,
  weightsOf,
} from "./training-run.js";

/** Runs reflow with changed flags, which must fail at once and leave nothing behind. */
async function refusal(...flags: readonly string[]): Promise<string> {
  const run = join(temporaryFolder(), "run");
  const { code, err } = await tryTraining(run, ...RUNS.reflow, "--steps=1", ...flags);
  expect(code).toBe(1);
  expect(err).not.toMatch(/Start training|internal:|\n {4}at /);
  expect(readdirSync(join(run, "..")).flatMap((name) => readdirSync(join(run, "..", name)))).toEqual([]);
  return err;
}

const withTeacher = (folder: string): string => `--policy.teacher_model_path=${folder}`;

describe("a teacher", () => {
  const weights = (change: (path: string) => void): string =>
    withTeacher(teacherWith((folder) => change(join(folder, "model.safetensors"))));

  it("without weights is refused", async () => {
    expect(await refusal(weights((path) => rmSync(path)))).toMatch(/copy\/model\.safetensors: file not found\n$/);
  });

  it("with half a weights file is refused", async () => {
    expect(await refusal(weights((path) => truncateSync(path, 1_000_000)))).toMatch(
      /copy\/model\.safetensors: tensor "model\..*": expected its bytes up to \d+, but the file ends at 1000000\. The file is truncated\n$/,
    );
  });

  it.each<[string, (tensors: Map<string, ReturnType<typeof hostArray>>) => void, RegExp]>([
    [
      "without some tensors",
      (tensors) => {
        tensors.delete("model.action_in_proj.weight");
        tensors.delete("model.action_in_proj.bias");
      },
      /model\.safetensors: 2 tensors missing and 0 unexpected \(first missing: "model\.action_in_proj\.weight"\)\. Is this a SmolVLA checkpoint/,
    ],
    [
      "with tensors that SmolVLA does not have",
      (tensors) => tensors.set("model.value_head.weight", hostArray("float32", [1], new Float32Array(1))),
      /model\.safetensors: 0 tensors missing and 1 unexpected \(first unexpected: "model\.value_head\.weight"\)/,
    ],
    [
      "with a tensor of another shape",
      (tensors) => tensors.set("model.action_in_proj.bias", hostArray("float32", [5], new Float32Array(5))),
      /model\.safetensors: 1 tensors of another shape than config\.json and .* give\. First: "model\.action_in_proj\.bias": expected \[72\], got \[5\]/,
    ],
  ])("%s is refused", async (_, change, message) => {
    const teacher = teacherWith(() => {});
    const path = join(teacher, "model.safetensors");
    const tensors = await readSafetensors(path);
    change(tensors);
    await writeSafetensors(path, new Map([...tensors].map(([name, array]) => [name, sourceOf(array)])));
    expect(await refusal(withTeacher(teacher))).toMatch(message);
  });

  it("that is no policy is refused, with what it is instead or what a policy folder holds", async () => {
    const bare = teacherWith((folder) => rmSync(join(folder, "config.json")));
    expect(await refusal(withTeacher(bare))).toBe(
      `${bare}: expected a policy folder, got one without config.json. A LeRobot policy folder holds config.json, ` +
        "model.safetensors, policy_preprocessor.json and policy_postprocessor.json; in a training run it is " +
        "checkpoints/NUMBER/pretrained_model\n",
    );
    expect(await refusal(withTeacher(DATASET))).toBe(`${DATASET}: expected a policy folder, got a dataset\n`);
    expect(await refusal(withTeacher(BASE_VLM))).toMatch(/got that of a base model \(model_type "smolvlm"\)/);
    expect(await refusal(withTeacher("/nowhere"))).toBe(
      'model "/nowhere": expected a folder or a Hub id such as owner/name, got neither. Looked for /nowhere\n',
    );
  });

  it("may be named by its run or its checkpoint", async () => {
    const teacher = await train(...RUNS["flow matching"], "--steps=1");
    const run = await train(...RUNS.reflow, withTeacher(join(teacher, "checkpoints/000001")), "--steps=1");
    const saved = JSON.parse(readFileSync(join(run, "checkpoints/last/pretrained_model/reflow.json"), "utf8"));
    expect(saved.teacher.path).toBe(join(teacher, "checkpoints/000001/pretrained_model"));
  });
});

describe("a setting", () => {
  it("that does not exist is refused with the nearest name, all at once", async () => {
    const err = await refusal("--batchsize=2", "--policy.optimiser_lr=1", "--steps=0");
    expect(err).toBe(
      "training config: 3 problems\n" +
        '  - policy.optimiser_lr: unknown key. Did you mean "optimizer_lr"?\n' +
        "  - steps: expected a number of at least 1, got 0\n" +
        '  - batchsize: unknown key. Did you mean "batch_size"?\n',
    );
  });

  it.each([
    [
      "--policy.chunk_size=20",
      "training config at policy.chunk_size: expected the teacher's 10, got 20. A reflow student",
    ],
    [
      "--policy.train_expert_only=false",
      "training config at policy.train_expert_only: expected true for this student, got false",
    ],
    [
      "--policy.optimizer_lr=1e-7",
      "training config at policy.scheduler_decay_lr: expected at most policy.optimizer_lr (1e-7), got 0.0000025",
    ],
    ["--policy.device=cuda:9", "policy.device: expected a device this libtorch can use"],
    ["--dataset.episodes=[99]", `${DATASET}: expected episodes`],
  ])("%s is refused in reflow of this teacher", async (flag, message) => {
    expect((await refusal(flag)).slice(0, message.length)).toBe(message);
  });
});

/** The fixture's dataset with other features in its `info.json`. */
function datasetWith(change: (features: Record<string, { shape: number[] }>) => void): string {
  return changedCopy(DATASET, (folder) => {
    const path = join(folder, "meta/info.json");
    const info = JSON.parse(readFileSync(path, "utf8"));
    change(info.features);
    writeFileSync(path, JSON.stringify(info));
  });
}

describe("a dataset that does not fit the policy", () => {
  const POLICY_SIDE =
    "  policy:  observation.state state [3]; observation.images.top visual [3, 48, 64]; " +
    "observation.images.wrist visual [3, 48, 64]; action action [3]\n";

  it("by its action's width is refused, naming both sides", async () => {
    const root = datasetWith((features) => {
      features.action!.shape = [4];
    });
    const err = await refusal(`--dataset.root=${root}`);
    expect(err).toBe(
      `train: the dataset ${root} does not fit the policy: "action" has shape [4], the policy's has [3].\n` +
        "  dataset: observation.state state [3]; action action [4]; observation.images.top visual [3, 48, 64]; " +
        "observation.images.wrist visual [3, 48, 64]\n" +
        POLICY_SIDE +
        'Use --rename_map=\'{"name in the dataset": "name in the policy"}\' where only names differ\n',
    );
  });

  it("by a missing state and other cameras is refused, naming all of it", async () => {
    const root = datasetWith((features) => {
      delete features["observation.state"];
      for (const name of ["top", "wrist"]) {
        features[`observation.images.${name}_left`] = features[`observation.images.${name}`]!;
        delete features[`observation.images.${name}`];
      }
    });
    const err = await refusal(`--dataset.root=${root}`);
    expect(err).toContain(
      '"observation.state" is missing; cameras observation.images.top_left, observation.images.wrist_left are not those ' +
        "of the policy, observation.images.top, observation.images.wrist",
    );
    expect(err).toContain(POLICY_SIDE);
  });

  it("by the name of a camera alone trains with --rename_map, as if it had the policy's names", async () => {
    const state = { dtype: "float32", shape: [3], value: (frame: number) => [Math.sin(frame), frame / 20, 0.5] };
    const recipe = (top: string) => ({
      episodes: [{ length: 12 }],
      width: 64,
      height: 48,
      cameras: { [`observation.images.${top}`]: "video", "observation.images.wrist": "video" } as const,
      features: { "observation.state": state, action: state },
    });
    const [same, renamed] = [await writeDataset(recipe("top")), await writeDataset(recipe("front"))];
    onTestFinished(() => void Promise.all([same, renamed].map((dataset) => dataset[Symbol.asyncDispose]())));
    const front = `--dataset.root=${renamed.root}`;
    const map = '--rename_map={"observation.images.front": "observation.images.top"}';
    expect(await refusal(front)).toContain(
      "cameras observation.images.front, observation.images.wrist are not those of the policy",
    );

    const expected = await trainedWeights(await train(...RUNS.reflow, `--dataset.root=${same.root}`, "--steps=2"));
    for (const workers of ["--num_workers=0", "--num_workers=1"]) {
      const run = await train(...RUNS.reflow, front, map, workers, "--steps=2");
      expect(changedNames(expected, await trainedWeights(run))).toEqual([]);
    }
    expect(changedNames(await weightsOf(TEACHER), expected)).not.toEqual([]);
  });

  it("by lacking one of the policy's cameras trains, with a warning", async () => {
    const root = datasetWith((features) => {
      delete features["observation.images.wrist"];
    });
    const { code, err } = await tryTraining(temporaryFolder(), ...RUNS.reflow, `--dataset.root=${root}`, "--steps=1");
    expect(code).toBe(0);
    expect(err).toContain("WARNING");
    expect(err).toContain(
      'the dataset has no camera "observation.images.wrist", which the policy knows: it is left out of the prefix',
    );
  });

  it("because it is none, or lies nowhere, is refused", async () => {
    expect(await refusal(`--dataset.root=${TEACHER}`)).toContain(TEACHER);
    expect(await refusal("--dataset.root=/nowhere/at/all")).toMatch(/^\/nowhere\/at\/all.*: /);
  });
});

describe("an output folder", () => {
  it("that cannot be made or written to is refused", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    const { code, err } = await tryTraining(join(folder, "file/run"), ...RUNS.reflow, "--steps=1");
    expect([code, err]).toEqual([1, expect.stringMatching(/^train: .*file\/run cannot be made \(ENOTDIR/)]);
  });
});

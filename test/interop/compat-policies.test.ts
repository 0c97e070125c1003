/** Old policies, renamed cameras and frozen weights: what stock LeRobot makes of them, compared with ours. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { writeOldPolicy } from "../../src/policy/old-layout/testing/write-old-policy.js";
import { withRenameMap } from "../../src/policy/processors/override-pipeline.js";
import { isNormalization, type ProcessorPipelines } from "../../src/policy/processors/pipeline.js";
import { flattenStatistics } from "../../src/policy/processors/statistics.js";
import { type Prediction, SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { toCheckpointName } from "../../src/smolvla/checkpoint-names.js";
import { isTrainable } from "../../src/smolvla/trainable.js";
import { bytesOf, type HostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { FIXTURE, largestDifference, loadTeacher, rawBatch, recorded } from "../parity/fixture.js";
import { TEACHER } from "../runs/training-run.js";
import { runPythonScript } from "./python-env.mjs";

const TIMEOUT_MS = 240_000;

let folder: string;
let noise: HostArray;
let raw: Awaited<ReturnType<typeof rawBatch>>;

/** Writes raw observations and noise for the scripts, under other names if wanted. */
async function writeObservation(name: string, names: Readonly<Record<string, string>> = {}): Promise<string> {
  const entries = Object.entries({ ...raw.arrays, noise }).filter(([key]) => /^(observation\.|noise)/.test(key));
  const file = join(folder, name);
  await writeSafetensors(file, new Map(entries.map(([key, array]) => [names[key] ?? key, sourceOf(array)])));
  return file;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reflow-compat-"));
  noise = (await recorded("parity/forward.safetensors")).get("noise")!;
  raw = await rawBatch();
}, TIMEOUT_MS);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a script of stock LeRobot where the fixture's relative names start from. */
const stock = (script: string, ...args: readonly string[]): Promise<string> =>
  runPythonScript(script, args, { cwd: FIXTURE });

async function predicted(policyFolder: string): Promise<{ prediction: Prediction; policy: SmolVLAPolicy }> {
  const policy = await SmolVLAPolicy.load(policyFolder, { device: "cpu" });
  onTestFinished(() => policy.dispose());
  return { prediction: policy.predict(raw, { noise, numSteps: 10 }), policy };
}

async function expectSameActions({ chunk, robotChunk }: Prediction, file: string): Promise<void> {
  const theirs = await readSafetensors(file);
  expect(largestDifference(chunk, theirs.get("chunk")!)).toBeLessThanOrEqual(5e-5);
  expect(largestDifference(robotChunk, theirs.get("robot_chunk")!)).toBeLessThanOrEqual(5e-5);
}

/** All statistics of both pipelines, as bytes by name. */
const statisticsOf = ({ preprocessor, postprocessor }: ProcessorPipelines) =>
  [preprocessor, postprocessor].flatMap(({ name, steps }) =>
    steps
      .filter(isNormalization)
      .flatMap(({ statistics }) => flattenStatistics(statistics))
      .map(([key, array]) => [`${name}/${key}`, array.shape, Buffer.from(bytesOf(array)).toString("hex")]),
  );

describe("a policy of LeRobot 0.3", () => {
  it.each([
    ["MEAN_STD", (name: string) => name],
    ["MIN_MAX", (name: string) => name.replace(/^model\./, "model._orig_mod.")],
  ] as const)(
    "with %s is migrated in memory as LeRobot's script migrates it on disk, and acts as it did",
    async (mode, rename) => {
      const old = await writeOldPolicy(join(folder, `old-${mode}`), {
        mode,
        tensors: (tensors) => [...tensors].map(([name, array]) => [rename(name), array] as const),
      });
      const migrated = join(folder, `migrated-${mode}`);
      await stock("compat_policies.py", "migrate", "--policy", old, "--output", migrated);
      const { prediction, policy } = await predicted(old);
      expect(policy.warnings[0]).toContain("migrated in memory");

      const theirs = await predicted(migrated);
      expect(statisticsOf(policy.processors)).toEqual(statisticsOf(theirs.policy.processors));
      expect(policy.processors).toEqual(theirs.policy.processors);
      expect(prediction).toEqual(theirs.prediction);

      const observation = ["--observation", await writeObservation("observation.safetensors")];
      const common = [...observation, "--tasks", JSON.stringify(raw.tasks), "--output"];
      const output = join(folder, `${mode}.safetensors`);
      await stock("predict.py", "--policy", migrated, ...common, output);
      await expectSameActions(prediction, output);
      await stock("compat_policies.py", "old-actions", "--policy", old, "--processors", TEACHER, ...common, output);
      await expectSameActions(prediction, output);
    },
    TIMEOUT_MS,
  );

  it(
    "that was loaded and saved here is loaded by stock LeRobot and gives the same actions there",
    async () => {
      const { prediction, policy } = await predicted(await writeOldPolicy(join(folder, "old-saved")));
      const saved = join(folder, "saved");
      await policy.save(saved);
      const output = join(folder, "saved.safetensors");
      await stock(
        "predict.py",
        ...["--policy", saved, "--observation", await writeObservation("observation.safetensors")],
        ...["--tasks", JSON.stringify(raw.tasks), "--output", output],
      );
      await expectSameActions(prediction, output);
    },
    TIMEOUT_MS,
  );
});

describe("an observation with other names", () => {
  it(
    "gives the actions that it gives in stock LeRobot with the same rename map",
    async () => {
      const renameMap = {
        "observation.images.front": "observation.images.top",
        "observation.images.hand": "observation.images.wrist",
      };
      const back = Object.fromEntries(Object.entries(renameMap).map(([from, to]) => [to, from]));
      const output = join(folder, "renamed.safetensors");
      await stock(
        "compat_policies.py",
        ...[
          "renamed",
          "--policy",
          resolve(TEACHER),
          "--observation",
          await writeObservation("other.safetensors", back),
        ],
        ...["--tasks", JSON.stringify(raw.tasks), "--rename-map", JSON.stringify(renameMap), "--output", output],
      );
      const teacher = await loadTeacher();
      onTestFinished(() => teacher.dispose());
      const { processors } = teacher;
      const policy = teacher.with({
        processors: { ...processors, preprocessor: withRenameMap(processors.preprocessor, renameMap) },
      });
      const arrays = Object.fromEntries(Object.entries(raw.arrays).map(([name, array]) => [back[name] ?? name, array]));
      await expectSameActions(policy.predict({ arrays, tasks: raw.tasks }, { noise, numSteps: 10 }), output);
    },
    TIMEOUT_MS,
  );
});

describe("the weights that training changes", () => {
  it(
    "are those of stock LeRobot 0.4.4 in every combination of the settings that freeze",
    async () => {
      const report = JSON.parse(await stock("compat_policies.py", "trainable", "--policy", TEACHER)) as {
        settings: Record<string, boolean>;
        trainable: string[];
      }[];
      const teacher = await loadTeacher();
      onTestFinished(() => teacher.dispose());
      expect(report).toHaveLength(8);
      for (const { settings, trainable } of report) {
        const own = {
          trainExpertOnly: settings.train_expert_only!,
          freezeVisionEncoder: settings.freeze_vision_encoder!,
          trainStateProj: settings.train_state_proj!,
        };
        const names = Array.from(teacher.model.namedParameters(), ([name]) => name);
        const ours = names.filter((name) => isTrainable(name, own)).map(toCheckpointName);
        expect(ours.sort(), JSON.stringify(settings)).toEqual(trainable.sort());
      }
    },
    TIMEOUT_MS,
  );
});

/** What single checks make of policies and data that are unlike the fixture's. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Check } from "../../src/doctor/check.js";
import { CHECKS } from "../../src/doctor/index.js";
import { isNormalization, type ProcessorPipeline } from "../../src/policy/processors/pipeline.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { type HostArray, hostArray } from "../../src/support/host-array.js";
import { loadTeacher } from "../parity/fixture.js";
import { temporaryFolder } from "../runs/training-run.js";

/** What a check says of an examination of which it reads these parts. */
const judge = (id: string, examination: object) => {
  const check = CHECKS.find((one) => one.id === id) as Check;
  return Promise.resolve(check.run(examination as Parameters<Check["run"]>[0]));
};

const row = (...values: readonly number[]): HostArray =>
  hostArray("float32", [values.length], Float32Array.from(values));

type Statistics = Readonly<Record<string, readonly number[]>>;
const statistics = (of: Statistics) =>
  new Map(Object.entries(of).map(([name, values]) => [name, row(...values)] as const));

/** Pipelines that normalise actions by other statistics. */
const pipelines = ({ processors }: SmolVLAPolicy, of: Statistics): ProcessorPipeline[] =>
  Object.values(processors).map((pipeline: ProcessorPipeline) => ({
    ...pipeline,
    steps: pipeline.steps.map((step) =>
      isNormalization(step)
        ? {
            ...step,
            features: { action: { type: "ACTION", shape: [3] } },
            statistics: new Map([["action", statistics(of)]]),
          }
        : step,
    ),
  }));

const withTeacher = async <T>(use: (teacher: SmolVLAPolicy) => T | Promise<T>): Promise<T> => {
  const teacher = await loadTeacher();
  try {
    return await use(teacher);
  } finally {
    teacher.dispose();
  }
};

const TRAINED_ON = { mean: [0.5, -1, 123.456], std: [0.7, 2, 0] };

describe("statistics", () => {
  const ofDataset = (of: Statistics) => ({
    metadata: { stats: new Map([["action", statistics(of)]]) },
    renameMap: {},
  });

  it.each<[string, Statistics, string]>([
    ["a constant entry, rounded otherwise", { mean: [0.5, -1, 123.45603], std: [0.7, 2, 1e-5] }, "ok"],
    ["another constant", { mean: [0.5, -1, 0], std: [0.7, 2, 0] }, "fault"],
    ["a few episodes more", { mean: [0.55, -1, 123.456], std: [0.7, 2, 0] }, "warning"],
    ["other units", { mean: [0.5, -57, 123.456], std: [0.7, 114, 0] }, "fault"],
  ])("of the dataset: %s", (_, of, verdict) =>
    withTeacher(async (policy) => {
      const teacher = { processors: pipelines(policy, TRAINED_ON), role: "teacher" };
      expect(await judge("dataset-statistics", { teacher, dataset: ofDataset(of) })).toMatchObject({ verdict });
    }),
  );

  it.each<[string, Statistics, string]>([
    ["computed again", { mean: [0.5000002, -1.0000001, 123.45601], std: [0.7000001, 2, 0] }, "ok"],
    ["of other episodes", { mean: [0.501, -1, 123.456], std: [0.7, 2, 0] }, "fault"],
  ])("of the student: %s", (_, of, verdict) =>
    withTeacher(async (policy) => {
      const [teacher, student] = [TRAINED_ON, of].map((one) => ({ processors: pipelines(policy, one) }));
      expect(await judge("same-statistics", { teacher, student })).toMatchObject({ verdict });
    }),
  );
});

/** Samples `[1, 4, 10, 3]`: a mean action, so much of the noise, and so much of something else. */
const samples = (mean: number, noise: number, other = 0): HostArray =>
  hostArray(
    "float32",
    [1, 4, 10, 3],
    Float32Array.from({ length: 120 }, (_, i) => mean + noise * Math.sin(1 + 7.3 * i) + other * Math.cos(2 + 3.1 * i)),
  );

const sampled =
  (converged: HostArray, few: HostArray = converged) =>
  () => ({
    converged,
    fewSteps: [1, 10].map((numSteps) => ({ numSteps, samples: few })),
  });

const TEN = { config: { numSteps: 10 } };

describe("samples", () => {
  it.each([
    ["noise-response", 0.3, "fault"],
    ["noise-response", 0.005, "ok"],
    ["spread", 0.3, "warning"],
    ["spread", 0.005, "ok"],
  ])("%s: without spread, where the teacher's is %f of its actions, is %s", async (id, noise, verdict) => {
    const outcome = await judge(id, {
      teacher: TEN,
      student: TEN,
      teacherSamples: sampled(samples(1, noise)),
      studentSamples: sampled(samples(1, noise / 20)),
    });
    expect(outcome).toMatchObject({ verdict });
  });

  it.each([
    ["that are merely wrong", samples(0, 2, 2), "ok"],
    ["that are the robot's", samples(1001, 0.3), "fault"],
  ])("in large units, %s", (_, few, verdict) =>
    withTeacher(async (policy) => {
      const [, postprocessor] = pipelines(policy, { mean: [1000, 1000, 1000], std: [1, 1, 1] });
      const outcome = await judge("action-units", {
        teacher: { ...TEN, policy: { processors: { postprocessor } } },
        student: TEN,
        teacherSamples: sampled(samples(1, 0.3)),
        studentSamples: sampled(few),
      });
      expect(outcome).toMatchObject({ verdict });
    }),
  );
});

describe("training records of LeRobot", () => {
  const presets = { policy: { optimizer_lr: 1e-6, scheduler_decay_lr: 2.5e-6 } };

  it.each<[string, object, string]>([
    ["with presets that rise", { ...presets, scheduler: null }, "fault"],
    ["with a schedule that rises", { ...presets, scheduler: { peak_lr: 1e-7, decay_lr: 2.5e-6 } }, "fault"],
    ["with an optimizer of their own and no schedule", { ...presets, use_policy_training_preset: false }, "skipped"],
    ["with another schedule", { ...presets, scheduler: { type: "diffuser", num_warmup_steps: 5 } }, "skipped"],
  ])("%s", async (_, training, verdict) => {
    expect(await judge("learning-rate", { student: { training } })).toMatchObject({ verdict });
  });

  it("whose average lies beside the trained weights say nothing of these", async () => {
    const checkpoint = temporaryFolder();
    const training = { ema: { enable: true, decay: 0.9999 } };
    const student = { folder: join(checkpoint, "pretrained_model"), provenance: { step: 100 }, training };
    expect(await judge("averaging", { student })).toMatchObject({ verdict: "fault" });
    mkdirSync(join(checkpoint, "pretrained_model_ema"));
    expect(await judge("averaging", { student })).toMatchObject({ verdict: "ok" });
  });
});

describe("tasks that are cut", () => {
  const long = "please take the small red cube and put it into the box, then go back to where you were and wait for";
  it.each<[string, string[], string]>([
    ["alone", [`${long} me`], "ok"],
    ["and differ before that", [`${long} me`, `now ${long} me`], "ok"],
    ["and do not differ before that", [`${long} me there`, `${long} him there`], "warning"],
  ])("%s", (_, tasks, verdict) =>
    withTeacher(async (policy) => {
      expect(await judge("language", { teacher: { policy }, dataset: { metadata: { tasks } } })).toMatchObject({
        verdict,
      });
    }),
  );
});

/** What a reflow run trains in place of a copy of its teacher. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { toCheckpointName } from "../../src/smolvla/checkpoint-names.js";
import { numbersOf } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { observe } from "./coupling-run.js";
import {
  continueFrom,
  differingFiles,
  largestRelativeDistance,
  policyOf,
  policyWeights,
  provenanceOf,
  recordsOf,
} from "./run-results.js";
import {
  BASE_VLM,
  changedCopy,
  changedNames,
  filesIn,
  RUNS,
  TEACHER,
  teacherWith,
  temporaryFolder,
  train,
  trainIn,
  tryTraining,
  weightsOf,
} from "./training-run.js";

const MEASURED = [
  "--eval_freq=2",
  "--held_out.num_observations=2",
  "--held_out.num_noises=2",
  "--held_out.reference_steps=4",
];

const configOf = (folder: string) => JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));

const isOfModel = (name: string): boolean => name.startsWith("model.vlm_with_expert.vlm.");

/** A policy with the teacher's features and another network. */
let other: string;
beforeAll(async () => {
  const { cleanUp, folder } = await otherPolicy();
  other = folder;
  return cleanUp;
});

async function otherPolicy() {
  const { mkdtempSync, rmSync } = await import("node:fs");
  const { tmpdir } = await import("node:os");
  const folder = mkdtempSync(join(tmpdir(), "reflow-other-"));
  await trainIn(
    folder,
    ...RUNS["flow matching of a new policy"],
    "--policy.chunk_size=10",
    "--policy.n_action_steps=5",
    "--policy.num_vlm_layers=2",
    "--policy.expert_width_multiplier=0.5",
    "--policy.self_attn_every_n_layers=2",
    "--steps=1",
  );
  return {
    folder: join(folder, "checkpoints/last/pretrained_model"),
    cleanUp: () => rmSync(folder, { recursive: true }),
  };
}

interface Case {
  readonly flags: () => readonly string[];
  /** what differs from the teacher's `config.json` */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly studentInit: string;
  /** whether it looks through the teacher's own model */
  readonly isShared: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  "a fresh expert on the teacher's model": {
    flags: () => ["--policy.student_init=vlm"],
    fields: {},
    studentInit: "vlm",
    isShared: true,
  },
  "a narrower fresh expert on the teacher's model": {
    flags: () => ["--policy.student_init=vlm", "--policy.expert_width_multiplier=0.5"],
    fields: { expert_width_multiplier: 0.5 },
    studentInit: "vlm",
    isShared: true,
  },
  "a fresh expert on a shallower model with the base's weights": {
    flags: () => ["--policy.student_init=vlm", "--policy.num_vlm_layers=1", "--policy.expert_width_multiplier=0.5"],
    fields: { num_vlm_layers: 1, expert_width_multiplier: 0.5 },
    studentInit: "vlm",
    isShared: false,
  },
  "fresh weights throughout": {
    flags: () => ["--policy.student_init=random"],
    fields: {},
    studentInit: "random",
    isShared: false,
  },
  "fresh weights throughout, all of them trained": {
    flags: () => ["--policy.student_init=random", "--policy.train_expert_only=false", "--policy.num_vlm_layers=2"],
    fields: { train_expert_only: false, num_vlm_layers: 2 },
    studentInit: "random",
    isShared: false,
  },
  "another policy of another size": {
    flags: () => [`--policy.path=${other}`],
    fields: { num_vlm_layers: 2, expert_width_multiplier: 0.5, vlm_model_name: BASE_VLM, load_vlm_weights: true },
    studentInit: "teacher",
    isShared: false,
  },
};

describe.each(Object.entries(CASES))("a student that is %s", (_, { flags, fields, studentInit, isShared }) => {
  it("passes the gate, is saved with its own network and its teacher's processors, and leaves its teacher as it was", async () => {
    const before = filesIn(TEACHER).map((file) => readFileSync(join(TEACHER, file)));
    const run = temporaryFolder();
    const log = await trainIn(run, ...RUNS.reflow, ...flags(), ...MEASURED, "--steps=4", "--save_freq=2");
    expect(log).toContain("step-0 gate: passed");
    expect(filesIn(TEACHER).map((file, i) => readFileSync(join(TEACHER, file)).equals(before[i]!))).not.toContain(
      false,
    );

    const [saved, teacher] = [configOf(policyOf(run)), configOf(TEACHER)];
    const differing = Object.keys(teacher)
      .filter((key) => !/^(optimizer|scheduler)_/.test(key))
      .filter((key) => JSON.stringify(saved[key]) !== JSON.stringify(teacher[key]));
    expect(Object.fromEntries(differing.map((key) => [key, saved[key]]))).toEqual(fields);
    for (const file of filesIn(TEACHER).filter((name) => name.includes("processor"))) {
      expect(readFileSync(join(policyOf(run), file)).equals(readFileSync(join(TEACHER, file))), file).toBe(true);
    }
    expect(provenanceOf(run)).toMatchObject({ k: 2, studentInit, teacher: { path: TEACHER } });

    expect(differingFiles(await continueFrom(run, 2), run)).toEqual([]);
    const evaluations = await recordsOf(run, "evaluation");
    expect(evaluations.map(({ step }) => step)).toEqual([0, 2, 4]);
    // A copy of the teacher would be within a tenth of the teacher's solution at ten steps, and closer than at one.
    expect(evaluations[0]!.metrics["eval/relative_error_10"]).toBeGreaterThan(0.3);
  });

  it(`${isShared ? "shares" : "does not share"} the teacher's model, which stays as it was in memory too`, async () => {
    const { run, teacher, student, step } = await observe(...flags(), "--steps=2");
    const ofTeacher = new Set([...run.teacher!.model.namedParameters()].map(([, parameter]) => parameter));
    const shared = [...run.policy.model.namedParameters()].filter(([, parameter]) => ofTeacher.has(parameter));
    const ofModel = [...run.policy.model.namedParameters()].filter(([name]) => name.startsWith("vlm."));
    expect(shared.map(([name]) => name)).toEqual(isShared ? ofModel.map(([name]) => name) : []);
    await step();
    await step();
    expect(teacher.velocities).toHaveLength(2 * 2); // solver steps
    expect(student.velocities).toHaveLength(2);
    expect([student.numEncoded(), teacher.numEncoded()]).toEqual(isShared ? [2, 0] : [2, 2]);
    const weights = await weightsOf(TEACHER);
    for (const [name, parameter] of run.teacher!.model.namedParameters()) {
      expect(parameter.toNumbers(), name).toEqual(numbersOf(weights.get(toCheckpointName(name))!));
    }
  });
});

describe("a student's first weights", () => {
  it("are its teacher's model with a fresh expert for student_init=vlm, drawn from the seed", async () => {
    const teacher = await weightsOf(TEACHER);
    const [a, b] = [
      await train(...RUNS.reflow, "--policy.student_init=vlm", "--steps=1"),
      await train(...RUNS.reflow, "--policy.student_init=vlm", "--steps=1", "--seed=2"),
    ];
    const changed = changedNames(teacher, await policyWeights(a));
    expect(changed.filter(isOfModel)).toEqual([]);
    expect(changed).toContain("model.action_out_proj.weight");
    expect(changedNames(await policyWeights(a), await policyWeights(b))).toContain("model.action_out_proj.weight");
  });

  it("are the base model's for student_init=vlm with another depth, and nobody's for student_init=random", async () => {
    const base = await readSafetensors(join(BASE_VLM, "model.safetensors"));
    const vision = new Map(
      [...base]
        .filter(([name, { shape }]) => name.includes(".vision_model.") && shape.length > 1)
        .map(([name, array]) => [`model.vlm_with_expert.vlm.${name}`, array]),
    );
    expect(vision.size).toBeGreaterThan(10);
    const shallow = ["--policy.student_init=vlm", "--policy.num_vlm_layers=1"];
    const vlm = await train(...RUNS.reflow, ...shallow, "--steps=1");
    expect(largestRelativeDistance(await policyWeights(vlm), vision)).toBe(0);
    const random = await policyWeights(await train(...RUNS.reflow, "--policy.student_init=random", "--steps=1"));
    for (const [name, array] of vision) {
      expect(largestRelativeDistance(random, new Map([[name, array]])), name).toBeGreaterThan(0.5);
    }
  });

  it("are those of policy.path, whose agreement is measured against the teacher", async () => {
    const start = await weightsOf(other);
    const flags = [
      ...RUNS.reflow,
      ...MEASURED,
      "--policy.optimizer_lr=1e-12",
      "--policy.scheduler_decay_lr=0",
      "--steps=1",
      "--health=off",
    ];
    const evaluation = async (...more: readonly string[]) => {
      const run = await train(...flags, ...more);
      return { run, metrics: (await recordsOf(run, "evaluation"))[0]!.metrics };
    };
    const mine = await evaluation(`--policy.path=${other}`);
    const numFrozen = [...start.keys()].filter(isOfModel).length;
    expect(numFrozen).toBeGreaterThan(0);
    expect(changedNames(start, await policyWeights(mine.run)).filter(isOfModel)).toEqual([]);
    const copy = await evaluation();
    // The teacher agrees with itself; the other policy does not, as it would if it were measured against itself.
    expect(copy.metrics["eval/relative_error_10"]).toBeLessThan(0.1);
    expect(mine.metrics["eval/relative_error_10"]).toBeGreaterThan(0.3);
  });
});

describe("a student is refused", () => {
  const refused = async (message: string | RegExp, ...flags: readonly string[]): Promise<void> => {
    const { code, err } = await tryTraining(temporaryFolder(), ...RUNS.reflow, "--steps=1", ...flags);
    const said = err.replace(/^(INFO|WARNING) .*\n/gm, "");
    if (typeof message === "string") expect(said).toBe(message);
    else expect(said).toMatch(message);
    expect(code).toBe(1);
  };

  const otherWith = (change: (config: Record<string, unknown>) => void): string =>
    changedCopy(other, (copy) => {
      const config = configOf(copy);
      change(config);
      writeFileSync(join(copy, "config.json"), JSON.stringify(config));
    });

  it("with another chunk or other features than its teacher's", async () => {
    const shorter = otherWith((config) => {
      config.chunk_size = 8;
    });
    await refused(
      `reflow: expected a student with its teacher's features and action shape, got in ${shorter}: chunk_size 8 (the ` +
        "teacher's: 10). Give a student that reads and acts alike; its layers and widths may differ\n",
      `--policy.path=${shorter}`,
    );
    const oneEyed = otherWith((config) => {
      const { "observation.images.wrist": _, ...features } = config.input_features as Record<string, unknown>;
      config.input_features = features;
    });
    await refused(
      /: input features observation\.images\.top, observation\.state \(the teacher's: observation\.images\.top, observation\.images\.wrist, observation\.state\)\. Give a student/,
      `--policy.path=${oneEyed}`,
    );
  });

  it.each(["teacher", "vlm"])(
    "that shall train a model which its teacher looks through too: student_init=%s",
    async (init) => {
      await refused(
        "training config at policy.train_expert_only: expected true for this student, got false: teacher and student share one " +
          "vision-language model, which stays as it is\n",
        `--policy.student_init=${init}`,
        "--policy.train_expert_only=false",
      );
    },
  );

  it("that shall be two things", async () => {
    await refused(
      `training config at policy.student_init: expected nothing beside a student of its own ("${other}"), got "vlm". Give one of the two\n`,
      `--policy.path=${other}`,
      "--policy.student_init=vlm",
    );
  });

  it("of another size than its teacher where it is a copy, with what would make it possible", async () => {
    await refused(
      "training config at policy.num_vlm_layers: expected the teacher's 4, got 1. This student is a copy of its teacher; give " +
        "policy.student_init=vlm or policy.path for one of another size\n",
      "--policy.num_vlm_layers=1",
    );
    await refused(
      "training config at policy.chunk_size: expected the teacher's 10, got 5. A reflow student reads and acts as its teacher " +
        "does; leave this setting out\n",
      "--policy.student_init=random",
      "--policy.chunk_size=5",
    );
  });
});

describe("a teacher whose own configuration trains all weights", () => {
  const teacher = (): string =>
    teacherWith((copy) => {
      const config = { ...configOf(copy), train_expert_only: false, freeze_vision_encoder: false };
      writeFileSync(join(copy, "config.json"), JSON.stringify(config));
      cpSync(BASE_VLM, join(copy, "../base-vlm"), { recursive: true });
    });

  it("is copied into a student that trains its expert alone", async () => {
    const run = await train(...RUNS.reflow, `--policy.teacher_model_path=${teacher()}`, "--steps=1");
    const changed = changedNames(await weightsOf(TEACHER), await policyWeights(run));
    expect(changed.length).toBeGreaterThan(10);
    expect(changed.filter(isOfModel)).toEqual([]);
    expect(configOf(policyOf(run)).train_expert_only).toBe(true);
  });
});

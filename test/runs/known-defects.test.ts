/**
 * Known ways to spoil a policy by reflow, each done on purpose: what it does to the actions although a loss falls, and what
 * here names it or rules it out.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { SOLVERS, sampleNoise, solve } from "../../src/flow/index.js";
import { cosineDecayWithWarmup } from "../../src/optim/index.js";
import { type Prediction, SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import type { Metrics } from "../../src/records/run-event.js";
import { actionDim } from "../../src/smolvla/config.js";
import { type HostArray, hostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import {
  constantPad,
  Generator,
  mulScalar,
  noGrad,
  scope,
  slice,
  sub,
  type Tensor,
  tensorFromHost,
} from "../../src/torch/index.js";
import type { Coupling, Pairs } from "../../src/train/couplings/coupling.js";
import { carryNoise, teacherPairs } from "../../src/train/couplings/teacher.js";
import { HealthWatch } from "../../src/train/health/index.js";
import { type AgreementProbe, agreementRows } from "../../src/train/held-out.js";
import { loadTeacher, rawBatch, recorded, relativeL2 } from "../parity/fixture.js";
import { teacherOf } from "../parity/objectives.js";
import { openTeacherProbe, type TrainedStudent, trainStudent } from "./defect-run.js";
import { policyOf } from "./stage-chain.js";
import {
  RUNS,
  TEACHER,
  teacherWith,
  temporaryFolder,
  train,
  trainedWeights,
  trainIn,
  tryTraining,
  weightsOf,
} from "./training-run.js";

const NORMALIZER = "policy_preprocessor_step_5_normalizer_processor.safetensors";
const UNNORMALIZER = "policy_postprocessor_step_0_unnormalizer_processor.safetensors";

async function healthyTeacher(): Promise<SmolVLAPolicy> {
  const teacher = await loadTeacher();
  onTestFinished(() => teacher.dispose());
  return teacher;
}

/** What a policy folder does on the recorded observations and noise, as a robot would run it. */
async function actionsOf(folder: string): Promise<Prediction> {
  const policy = await SmolVLAPolicy.load(folder, { device: "cpu" });
  onTestFinished(() => policy.dispose());
  const noise = (await recorded("parity/forward.safetensors")).get("noise")!;
  return policy.predict(await rawBatch(), { noise, numSteps: 10 });
}

/** Replaces the statistics of a policy folder's processors, in both files. */
async function editStatistics(folder: string, change: (name: string, value: HostArray) => HostArray | undefined) {
  for (const file of [NORMALIZER, UNNORMALIZER]) {
    const path = join(folder, file);
    const kept = [...(await readSafetensors(path))].flatMap(([name, value]) => {
      const changed = change(name, value);
      return changed === undefined ? [] : [[name, sourceOf(changed)] as const];
    });
    await writeSafetensors(path, new Map(kept));
  }
}

const reflowOf = (teacher: string): string[] => [...RUNS.reflow, `--policy.teacher_model_path=${teacher}`, "--steps=1"];

describe("processors without statistics", () => {
  /** The teacher's own weights beside processors that were made without a dataset, as their files then are. */
  const withoutFiles = (folder: string): void => {
    for (const name of ["policy_preprocessor.json", "policy_postprocessor.json"]) {
      const path = join(folder, name);
      writeFileSync(path, readFileSync(path, "utf8").replace(/,\s*"state_file": "[^"]*"/, ""));
    }
    for (const name of [NORMALIZER, UNNORMALIZER]) rmSync(join(folder, name));
  };

  it("make the very weights of a good policy act wrongly: raw states in, normalised actions out", async () => {
    const [healthy, spoilt] = [await actionsOf(TEACHER), await actionsOf(teacherWith(withoutFiles))];
    expect(spoilt.robotChunk).toEqual(spoilt.chunk);
    expect(relativeL2(spoilt.chunk, healthy.chunk)).toBeGreaterThan(0.2);
    expect(relativeL2(spoilt.robotChunk, healthy.robotChunk)).toBeGreaterThan(0.5);
  });

  const NAMES_ALL =
    /: the processors of the policy to start from have no statistics .*\n(.*\n)* {2}- observation\.state\.mean .*\n(.*\n)* {2}- action\.std for MEAN_STD in policy_postprocessor /;

  it("stop a run at the gate, which names them, whether their files or their contents are gone", async () => {
    const emptied = teacherWith(() => {});
    await editStatistics(emptied, () => undefined);
    for (const teacher of [teacherWith(withoutFiles), emptied]) {
      const { code, err } = await tryTraining(temporaryFolder(), ...reflowOf(teacher));
      expect([code, err]).toEqual([1, expect.stringMatching(NAMES_ALL)]);
      expect(err).not.toContain("Start training");
    }
  });

  it("stop a run that continues, too", async () => {
    const run = await train(...RUNS["flow matching"], "--steps=1");
    await editStatistics(policyOf(run), () => undefined);
    const { code, err } = await tryTraining(run, "--resume=true", "--steps=2");
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /^--resume: the processors of the checkpoint to continue have no statistics .*\n {2}- observation\.state\.mean /m,
      ),
    ]);
    expect(err).not.toContain("Start training");
  });
});

describe("processors with other statistics", () => {
  const shifted = (name: string, { shape, data }: HostArray): HostArray =>
    /\.(mean|std)$/.test(name)
      ? hostArray(
          "float32",
          shape,
          Float32Array.from(data as Float32Array, (x) => 2 * x + 0.1),
        )
      : hostArray("float32", shape, data);

  it("make the very weights of a good policy act wrongly", async () => {
    const other = teacherWith(() => {});
    await editStatistics(other, shifted);
    const [healthy, spoilt] = [await actionsOf(TEACHER), await actionsOf(other)];
    expect(relativeL2(spoilt.robotChunk, healthy.robotChunk)).toBeGreaterThan(0.5);
  });

  it("are the teacher's in every student, and a student that had others is told of", async () => {
    const other = teacherWith(() => {});
    await editStatistics(other, shifted);
    const run = temporaryFolder();
    const { code, err } = await tryTraining(run, ...RUNS.reflow, "--steps=1", `--policy.path=${other}`);
    expect(code).toBe(0);
    expect(err).toContain(
      `the student in ${other} was trained with other statistics than its teacher's, which it has from now on`,
    );
    for (const file of [NORMALIZER, UNNORMALIZER]) {
      expect(await readSafetensors(join(policyOf(run), file))).toEqual(await readSafetensors(join(TEACHER, file)));
    }
    const alike = await tryTraining(
      temporaryFolder(),
      ...RUNS.reflow,
      "--steps=1",
      `--policy.path=${teacherWith(() => {})}`,
    );
    expect([alike.code, alike.err]).toEqual([0, expect.not.stringContaining("other statistics")]);
  });

  it("stop a run that continues", async () => {
    const run = await train(...RUNS["flow matching"], "--steps=1");
    await editStatistics(policyOf(run), shifted);
    const { code, err } = await tryTraining(run, "--resume=true", "--steps=2");
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /^--resume: expected the statistics that .*pretrained_model was trained with, got others in its processors\. Restore /m,
      ),
    ]);
  });
});

/** Noise of a batch in the full width, and where the teacher carries it. */
function honestPairs(teacher: SmolVLAPolicy): (...args: Parameters<Coupling["couple"]>) => Pairs {
  const { couple } = teacherPairs(teacherOf(teacher.model, teacher.config));
  return couple;
}

const couplingOf = (couple: Coupling["couple"]): Coupling => ({ numNoises: 1, couple, dispose: () => {} });

/** What the health watch finds in a student's losses and in its samples before and after. */
function findingsOf({ losses, student }: TrainedStudent, teacher: SmolVLAPolicy, probe: AgreementProbe): string[] {
  const watch = new HealthWatch({ numSteps: losses.length, schedule: () => LEARNING_RATE });
  const agreement = (policy: SmolVLAPolicy) =>
    agreementRows(probe.measure(policy)).filter(({ numSteps }) => [1, 10].includes(numSteps));
  return [
    ...watch.observeEvaluation(agreement(teacher)),
    ...losses.flatMap((loss, i) => watch.observe({ step: i + 1, loss, gradNorm: 1, learningRate: LEARNING_RATE })),
    ...watch.observeEvaluation(agreement(student)),
  ].map(({ kind, severity }) => `${kind}: ${severity}`);
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const LEARNING_RATE = 5e-4;
const NUM_STEPS = 150;

describe("noise in the robot's own dimensions alone", () => {
  it("trains no column of the others, fits better and acts worse; whoever trains such a student further is told", async () => {
    const teacher = await healthyTeacher();
    const { config } = teacher;
    const numReal = actionDim(config);
    const options = teacherOf(teacher.model, config);
    const realOnly = (x: Tensor): Tensor =>
      constantPad(slice(x, -1, 0, numReal), [0, config.maxActionDim - numReal], 0);
    const narrow = couplingOf((batch, context, generator) => {
      const noise = realOnly(sampleNoise([batch.tasks.length, config.chunkSize, config.maxActionDim], generator));
      return { noise, actions: realOnly(carryNoise(options, batch, context, noise)) };
    });
    const probe = await openTeacherProbe(teacher);
    const right = await trainStudent(teacher, teacherPairs(options), NUM_STEPS, LEARNING_RATE);
    const wrong = await trainStudent(teacher, narrow, NUM_STEPS, LEARNING_RATE);

    const columns = ({ data, shape: [, width] }: HostArray) =>
      Array.from({ length: width! }, (_, column) =>
        Array.from(data as Float32Array).filter((_value, i) => i % width! === column),
      );
    const isZero = (values: readonly number[]): boolean => values.every((value) => value === 0);
    const gradient = ({ firstGradients }: TrainedStudent) => columns(firstGradients.get("expert.actionIn.weight")!);
    const isReal = Array.from({ length: config.maxActionDim }, (_, column) => column < numReal);
    expect(gradient(wrong).map((column) => !isZero(column))).toEqual(isReal);
    expect(gradient(right).map(isZero)).toEqual(isReal.map(() => false));
    // What gives such a student away beside its teacher.
    const weight = (policy: SmolVLAPolicy) =>
      columns(new Map(policy.model.namedParameters()).get("expert.actionIn.weight")!.toHost());
    const isUnchanged = ({ student }: TrainedStudent) =>
      weight(student).map((column, i) => column.join() === weight(teacher)[i]!.join());
    expect(isUnchanged(wrong)).toEqual(isReal.map((real) => !real));
    expect(isUnchanged(right)).toEqual(isReal.map(() => false));

    const [before, good, bad] = [teacher, right.student, wrong.student].map((policy) => probe.measure(policy)) as [
      Metrics,
      Metrics,
      Metrics,
    ];
    expect(meanOf(wrong.losses)).toBeLessThan(meanOf(right.losses));
    expect(good.relative_error_1).toBeLessThan(0.6 * before.relative_error_1!);
    expect(bad.relative_error_1).toBeGreaterThan(1.1 * good.relative_error_1!);
    // Inputs that nobody trained shake its actions.
    expect(bad.spread_ratio_1).toBeGreaterThan(good.spread_ratio_1! + 0.1);

    const warning = "was trained with noise in the robot's own action dimensions alone: ";
    const trainFurther = async ({ student }: TrainedStudent): Promise<string> => {
      const folder = teacherWith(() => {});
      await student.save(folder);
      return trainIn(temporaryFolder(), ...RUNS.reflow, "--steps=1", `--policy.path=${folder}`);
    };
    expect(await trainFurther(wrong)).toContain(warning);
    expect(await trainFurther(right)).not.toContain(warning);
    expect(await trainFurther({ ...right, student: teacher })).not.toContain(warning);
  });

  it("is drawn by no objective here: every column is trained from the first step on", async () => {
    const before = (await weightsOf(TEACHER)).get("model.action_in_proj.weight")!;
    for (const flags of [RUNS.reflow, [...RUNS.reflow, "--reflow.padded_dims=mask"], RUNS["flow matching"]]) {
      const after = (await trainedWeights(await train(...flags, "--steps=1"))).get("model.action_in_proj.weight")!;
      const [rows, width] = after.shape as [number, number];
      for (let column = 0; column < width; column++) {
        const values = (weight: HostArray) =>
          Array.from({ length: rows }, (_, row) => (weight.data as Float32Array)[row * width + column]);
        expect(values(after), `column ${column}`).not.toEqual(values(before));
      }
    }
  });
});

describe("noise that the solver has overwritten", () => {
  it("makes the target 0: the loss collapses while the samples leave the teacher's, which the watch finds", async () => {
    const teacher = await healthyTeacher();
    const aliased = couplingOf((...args) => {
      const { actions } = honestPairs(teacher)(...args);
      return { noise: actions, actions };
    });
    const probe = await openTeacherProbe(teacher);
    const spoilt = await trainStudent(teacher, aliased, NUM_STEPS, LEARNING_RATE);
    expect(meanOf(spoilt.losses.slice(-10))).toBeLessThan(0.1 * meanOf(spoilt.losses.slice(0, 10)));
    expect(findingsOf(spoilt, teacher, probe)).toContain("drift-from-teacher: critical");
  });

  it.each(Object.values(SOLVERS).map((solver) => [solver.name, solver] as const))(
    "does not happen in %s: noise stays as it was drawn, even where the field hands back what it was given",
    (_, solver) => {
      scope(() => {
        using generator = new Generator(3);
        const noise = sampleNoise([2, 4, 8], generator);
        const drawn = noise.toNumbers();
        for (const numSteps of [1, 2]) {
          const actions = solve(solver, (x) => x, noise, numSteps);
          expect(actions.toNumbers()).not.toEqual(drawn);
          expect(noise.toNumbers()).toEqual(drawn);
        }
      });
    },
  );

  it("does not happen in the teacher's pairs: noise is what was drawn, and far from the actions", async () => {
    const teacher = await healthyTeacher();
    const given = { tasks: (await rawBatch()).tasks, input: teacher.encode(await rawBatch()), arrays: {} };
    scope(() => {
      const context = noGrad(() => teacher.model.encodeContext(given.input));
      const draw = () => new Generator(3);
      const { noise, actions } = honestPairs(teacher)({ ...given, number: 0, step: 0 }, context, draw());
      expect(noise.toNumbers()).toEqual(sampleNoise(noise.shape as [number, number, number], draw()).toNumbers());
      expect(relativeL2(actions, noise)).toBeGreaterThan(0.5);
    });
  });
});

describe("a decay that rises", () => {
  it("is refused by the command and by the schedule, which would raise a small rate 25 times and call it decay", async () => {
    const raising = { peakLr: 1e-7, decayLr: 2.5e-6, numWarmupSteps: 0, numDecaySteps: 100 };
    expect(() => cosineDecayWithWarmup(raising, 100)).toThrow(
      /^optim\.schedule: expected a peak learning rate of at least the final one, got 1e-7 and 0\.0000025: the "decay" would raise/,
    );
    const flags = [...RUNS.reflow, "--policy.optimizer_lr=1e-7", "--policy.scheduler_decay_lr=2.5e-6", "--steps=1"];
    const { code, err } = await tryTraining(temporaryFolder(), ...flags);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /^training config at policy\.scheduler_decay_lr: expected at most policy\.optimizer_lr \(1e-7\), got 0\.0000025\. The cosine "decay" would raise /,
      ),
    ]);
  });
});

describe("a velocity of the wrong sign", () => {
  it("makes one step end at 2 * noise - actions, far beyond the data, which the watch finds", async () => {
    const teacher = await healthyTeacher();
    /** At time 1 the target of noise and these is `actions - noise`. */
    const mirrored = couplingOf((...args) => {
      const { noise, actions } = honestPairs(teacher)(...args);
      return { noise, actions: sub(mulScalar(noise, 2), actions) };
    });
    const probe = await openTeacherProbe(teacher);
    const spoilt = await trainStudent(teacher, mirrored, NUM_STEPS, LEARNING_RATE);
    expect(meanOf(spoilt.losses.slice(-10))).toBeLessThan(0.5 * meanOf(spoilt.losses.slice(0, 10)));
    expect(findingsOf(spoilt, teacher, probe)).toContain("drift-from-teacher: critical");

    const raw = await rawBatch();
    const noise = (await recorded("parity/forward.safetensors")).get("noise")!;
    scope(() => {
      const size = (x: Tensor): number => Math.sqrt(meanOf(x.toNumbers().map((value) => value ** 2)));
      const sampled = (policy: SmolVLAPolicy, numSteps: number): Tensor =>
        policy.sampleActions(policy.encode(raw), tensorFromHost(noise), numSteps);
      const actions = sampled(teacher, 10);
      const expected = sub(mulScalar(tensorFromHost(noise), 2), actions);
      const mean = size(sampled(spoilt.student, 1));
      expect(mean / size(expected)).toBeGreaterThan(0.8);
      expect(mean / size(expected)).toBeLessThan(1.2);
      expect(mean).toBeGreaterThan(1.5 * size(actions));
    });
  });
});

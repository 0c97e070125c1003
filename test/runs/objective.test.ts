/** What a run does to the weights, and what it leaves alone. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { betaLaw, entryWeights, l2, sampleNoise, sampleTime, withAtoms } from "../../src/flow/index.js";
import { toModelInput } from "../../src/policy/model-input.js";
import { runPreprocessor } from "../../src/policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { actionDim } from "../../src/smolvla/config.js";
import type { SmolVLA } from "../../src/smolvla/smolvla.js";
import { backward, Generator, scope, slice, type Tensor } from "../../src/torch/index.js";
import { parseTrainConfig } from "../../src/train/config.js";
import { carryNoise, type PaddedDims, type TeacherOptions, teacherPairs } from "../../src/train/couplings/teacher.js";
import type { TrainingBatch } from "../../src/train/objectives/objective.js";
import { VelocityMatching } from "../../src/train/objectives/velocity-matching.js";
import { startTraining } from "../../src/train/start-training.js";
import { largestDifference, loadTeacher, rawBatch } from "../parity/fixture.js";
import { teacherOf } from "../parity/objectives.js";
import {
  changedNames,
  DATASET,
  filesIn,
  lastCheckpoint,
  RUNS,
  TEACHER,
  temporaryFolder,
  train,
  trainedWeights,
  trainIn,
  weightsOf,
} from "./training-run.js";

const IS_EXPERT =
  /^model\.(vlm_with_expert\.lm_expert|state_proj|action_in_proj|action_out_proj|action_time_mlp_(in|out))\./;

describe("training changes", () => {
  it("the expert and its projections alone, in reflow and flow matching", async () => {
    const before = await weightsOf(TEACHER);
    for (const kind of ["reflow", "flow matching"] as const) {
      const changed = changedNames(before, await trainedWeights(await train(...RUNS[kind], "--steps=2")));
      expect(changed).toEqual([...before.keys()].filter((name) => IS_EXPERT.test(name)));
    }
  });

  it.each(["reflow", "flow matching"] as const)("no state projection without train_state_proj, in %s", async (kind) => {
    const before = await weightsOf(TEACHER);
    const after = await trainedWeights(await train(...RUNS[kind], "--steps=2", "--policy.train_state_proj=false"));
    const changed = changedNames(before, after);
    expect(changed.filter((name) => name.includes("state_proj"))).toEqual([]);
    expect(changed).toContain("model.action_in_proj.weight");
  });

  it("the vision-language model too without train_expert_only, but not the start policy's file", async () => {
    const before = await weightsOf(TEACHER);
    const after = await trainedWeights(await train(...RUNS["flow matching of all weights"], "--steps=2"));
    const changed = changedNames(before, after);
    expect(changed.some((name) => name.includes("vision_model"))).toBe(true);
    expect(changed.some((name) => name.includes("text_model.layers.0."))).toBe(true);
    expect(changed.some((name) => name.includes("lm_head"))).toBe(false);
    expect(changedNames(before, await weightsOf(TEACHER))).toEqual([]);
  });
});

describe("bf16", () => {
  it("trains float32 masters, which begin at the file's own values and are saved as float32", async () => {
    const before = await weightsOf(TEACHER);
    const run = await train(
      ...RUNS.reflow,
      "--steps=3",
      "--precision=bf16",
      "--policy.optimizer_lr=1e-7",
      "--policy.scheduler_decay_lr=1e-7",
    );
    const after = await trainedWeights(run);
    for (const [name, array] of after) {
      if (!IS_EXPERT.test(name)) continue;
      expect(array.dtype, name).toBe("float32");
      const moved = largestDifference(array, before.get(name)!);
      expect(moved, name).toBeGreaterThan(0);
      expect(moved, name).toBeLessThan(1e-6); // the rounding to bfloat16 alone would be 1000 times as much
    }
  });

  it("continues as if unbroken", async () => {
    const flags = [...RUNS.reflow, "--precision=bf16", "--steps=3", "--save_freq=1"];
    const unbroken = await trainedWeights(await train(...flags));
    const broken = await train(...flags);
    const elsewhere = temporaryFolder();
    await trainIn(
      elsewhere,
      "--resume=true",
      `--config_path=${broken}/checkpoints/000001/pretrained_model/train_config.json`,
    );
    expect(changedNames(unbroken, await trainedWeights(elsewhere))).toEqual([]);
  });
});

describe("the learning rate", () => {
  const preset = [
    "--use_policy_training_preset=false",
    "--optimizer.lr=1e-4",
    "--optimizer.weight_decay=0",
    "--optimizer.betas=[0.9,0.95]",
  ];
  const scheduler = ["--scheduler.num_warmup_steps=0", "--scheduler.num_decay_steps=10"];

  it("is the optimizer's times the schedule's shape, as in LeRobot, where the two differ", async () => {
    const run = await train(
      ...RUNS.reflow,
      ...preset,
      ...scheduler,
      "--scheduler.peak_lr=1e-2",
      "--scheduler.decay_lr=1e-3",
      "--steps=1",
    );
    const read = (file: string) => JSON.parse(readFileSync(join(lastCheckpoint(run), "training_state", file), "utf8"));
    const before = await weightsOf(TEACHER);
    const after = await trainedWeights(run);
    // The first Adam step moves an entry by the learning rate, wherever its gradient is far above eps.
    expect(
      largestDifference(after.get("model.action_out_proj.bias")!, before.get("model.action_out_proj.bias")!),
    ).toBeCloseTo(1e-4, 7);
    expect(read("optimizer_param_groups.json")[0]).toMatchObject({ initial_lr: 1e-4, lr: expect.closeTo(1e-5, 10) });
    expect(read("scheduler_state.json")).toMatchObject({ base_lrs: [1e-4], last_epoch: 1 });
  });
});

let teacher: SmolVLAPolicy;
let batch: TrainingBatch;
beforeAll(async () => {
  teacher = await loadTeacher();
  const { arrays, tasks } = runPreprocessor(teacher.processors.preprocessor, await rawBatch(), teacher.tokenizer);
  batch = { input: toModelInput(arrays, teacher.config, "cpu"), arrays, tasks, number: 0, step: 0 };
});

interface Setup {
  readonly student: SmolVLA;
  readonly options: TeacherOptions;
  readonly objective: VelocityMatching;
}

function setUp(paddedDims: PaddedDims, { numSteps = 2, shareAtNoise = 0, numNoises = 1 } = {}): Setup {
  const { config } = teacher;
  const student = teacher.model.withCopiedExpert();
  student.expert.setTrainable(true);
  const options = teacherOf(teacher.model, config, { paddedDims, numSteps, numNoises });
  const { chunkSize, maxActionDim } = config;
  const masked = () => entryWeights({ chunkSize, maxActionDim, actionDim: actionDim(config), paddedShare: 0 });
  const objective = new VelocityMatching({
    name: "reflow",
    model: student,
    device: "cpu",
    coupling: teacherPairs(options),
    times: (n, generator) => sampleTime(withAtoms(betaLaw, [1], shareAtNoise), n, generator),
    loss: { distance: l2, weights: paddedDims === "mask" ? masked() : undefined },
    hasFrozenContext: true,
  });
  return { student, options, objective };
}

/** Loss and the gradient of the output projection's bias, which is the mean error of each action dimension. */
function gradientOf({ student, objective }: Setup): { loss: number; bias: number[]; weightRows: number[] } {
  return scope(() => {
    using generator = new Generator(5);
    const { loss } = objective.loss(batch, generator);
    backward(loss);
    const { weight, bias } = student.expert.actionOut;
    const rows = weight.grad!.toNumbers();
    const width = weight.size(1);
    const weightRows = Array.from({ length: weight.size(0) }, (_, row) =>
      Math.max(...rows.slice(row * width, (row + 1) * width).map(Math.abs)),
    );
    return { loss: loss.item(), bias: bias!.grad!.toNumbers(), weightRows };
  });
}

describe("padded action dimensions of reflow", () => {
  it("with `teacher` follow the teacher: at time 1, one teacher step, the untouched student has no error anywhere", () => {
    const { loss, bias } = gradientOf(setUp("teacher", { numSteps: 1, shareAtNoise: 1 }));
    expect(loss).toBeLessThan(1e-10);
    expect(Math.max(...bias.map(Math.abs))).toBeLessThan(1e-6);
  });

  it("with `zero` are drawn to zero: the same student errs there by the teacher's padded actions, and there alone", () => {
    const setup = setUp("zero", { numSteps: 1, shareAtNoise: 1 });
    const { bias } = gradientOf(setup);
    const numReal = actionDim(teacher.config);
    expect(Math.max(...bias.slice(0, numReal).map(Math.abs))).toBeLessThan(1e-6);
    scope(() => {
      using generator = new Generator(5);
      const { noise } = setup.objective.pose(batch, generator);
      const teacherItself = { ...setup.options, paddedDims: "teacher" as const };
      const actions = carryNoise(teacherItself, batch, teacher.model.encodeContext(batch.input), noise);
      const M = teacher.config.maxActionDim;
      const entries = actions.toNumbers();
      for (let dim = numReal; dim < M; dim++) {
        // d loss / d bias = mean over entries of 2 (predicted - target) = 2 ((noise - actions) - (noise - 0)) = -2 actions
        const sum = entries.filter((_, i) => i % M === dim).reduce((total, value) => total - 2 * value, 0);
        expect(bias[dim]).toBeCloseTo(sum / entries.length, 6);
      }
    });
  });

  it("with `mask` have no part in the loss: their rows of the output projection get no gradient", () => {
    const numReal = actionDim(teacher.config);
    const isZero = (values: readonly number[]): boolean[] => values.map((value) => value === 0);
    const real = (masked: boolean) =>
      Array.from({ length: teacher.config.maxActionDim }, (_, dim) => masked && dim >= numReal);
    const masked = gradientOf(setUp("mask"));
    expect(isZero(masked.bias)).toEqual(real(true));
    expect(isZero(masked.weightRows)).toEqual(real(true));
    const full = gradientOf(setUp("teacher"));
    expect(isZero(full.bias)).toEqual(real(false));
    // The mean is over real dimensions alone, so their share of it is larger by the same factor.
    expect(masked.bias[0]! / full.bias[0]!).toBeCloseTo(teacher.config.maxActionDim / numReal, 4);
  });
});

const hashOf = (parameters: Iterable<readonly [string, Tensor]>): string => {
  const hash = createHash("sha256");
  for (const [name, parameter] of parameters) hash.update(name).update(parameter.toHost().data as Uint8Array);
  return hash.digest("hex");
};

describe("a reflow run", () => {
  it("leaves its teacher as it is, in memory and on disk, and shares its vision-language model", async () => {
    const files = filesIn(TEACHER).map((file) => readFileSync(join(TEACHER, file)));
    const { config } = parseTrainConfig({
      dataset: { root: DATASET },
      policy: { use_reflow: true, teacher_model_path: TEACHER, device: "cpu", optimizer_lr: 1e-3 },
      output_dir: temporaryFolder(),
      batch_size: 2,
      num_workers: 0,
      steps: 3,
      save_checkpoint: false,
    });
    const run = await startTraining(config);
    const before = hashOf(run.teacher!.model.namedParameters());
    const student = new Map(run.policy.model.namedParameters());
    for (const [name, parameter] of run.teacher!.model.namedParameters()) {
      expect(student.get(name) === parameter, name).toBe(name.startsWith("vlm."));
    }
    const start = hashOf(student);
    for await (const event of run.events) expect(event.kind).toMatch(/^(step|evaluation)$/);
    expect(hashOf(run.policy.model.namedParameters())).not.toBe(start);
    expect(hashOf(run.teacher!.model.namedParameters())).toBe(before);
    for (const [name, parameter] of run.teacher!.model.namedParameters()) {
      expect([name, parameter.requiresGrad, parameter.grad]).toEqual([name, false, undefined]);
    }
    await run.close();
    expect(filesIn(TEACHER).map((file, i) => readFileSync(join(TEACHER, file)).equals(files[i]!))).not.toContain(false);
  });

  it("does not change the noise it draws", () => {
    scope(() => {
      const { objective } = setUp("teacher");
      using generator = new Generator(3);
      const problem = objective.pose(batch, generator);
      const { noise } = problem;
      const before = noise.toNumbers();
      objective.lossOf(problem);
      expect(noise.toNumbers()).toEqual(before);
      using again = new Generator(3);
      expect(sampleNoise(noise.shape as [number, number, number], again).toNumbers()).toEqual(before);
    });
  });

  it("draws noise in all padded dimensions and times in (0, 1]", () => {
    scope(() => {
      using generator = new Generator(3);
      const { noise, time } = setUp("teacher", { numNoises: 16 }).objective.pose(batch, generator);
      expect(noise.shape).toEqual([64, teacher.config.chunkSize, teacher.config.maxActionDim]);
      const padded = slice(noise, -1, actionDim(teacher.config), teacher.config.maxActionDim).toNumbers();
      const variance = padded.reduce((sum, value) => sum + value * value, 0) / padded.length;
      expect(variance).toBeCloseTo(1, 1);
      expect(time.toNumbers().every((value) => value > 0 && value <= 1)).toBe(true);
    });
  });
});

/** Checkpoints that cross between stock LeRobot and this program, in both directions. */
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { collate, LeRobotDataset } from "../../src/data/index.js";
import { betaLaw, sampleNoise, sampleTime } from "../../src/flow/index.js";
import { AdamW, cosineDecayWithWarmup } from "../../src/optim/index.js";
import { toModelInput } from "../../src/policy/model-input.js";
import { type ProcessorBatch, runPreprocessor } from "../../src/policy/processors/run-pipeline.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { fromCheckpointName } from "../../src/smolvla/checkpoint-names.js";
import { isTrainable } from "../../src/smolvla/trainable.js";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { Generator, scope, type Tensor, tensorFromHost } from "../../src/torch/index.js";
import { trainingLoop } from "../../src/train/loop.js";
import { restoreTrainingState } from "../../src/train/training-state.js";
import { FIXTURE, largestDifference, rawBatch, recorded } from "../parity/fixture.js";
import { flowMatchingLoss } from "../parity/objectives.js";
import {
  BASE_VLM,
  DATASET,
  lastCheckpoint,
  RUNS,
  TEACHER,
  teacherWith,
  temporaryFolder,
  train,
  trainIn,
} from "../runs/training-run.js";
import { runPythonScript } from "./python-env.mjs";

const TIMEOUT_MS = 240_000;

/** Runs a script of stock LeRobot where the fixture's relative names start from. */
const stock = (script: string, ...args: readonly string[]): Promise<string> =>
  runPythonScript(script, args, { cwd: FIXTURE });

/** A step of training in full: what the data loader gives and what is drawn. */
interface GivenStep {
  readonly batch: ProcessorBatch;
  readonly noise: HostArray;
  readonly time: HostArray;
}

/** The step at which a continued run begins, its schedule's length, and how many steps are compared. */
const [NUM_BEFORE, TOTAL_STEPS, NUM_COMPARED] = [3, 20, 4];

let steps: readonly GivenStep[];

beforeAll(async () => {
  await using dataset = await LeRobotDataset.open({ root: DATASET, chunkSize: 10 });
  const given: GivenStep[] = [];
  for (let i = 0; i < NUM_BEFORE + NUM_COMPARED; i++) {
    const items = await Promise.all([0, 1, 2].map((k) => dataset.item((i * 53 + k * 131) % dataset.numFrames)));
    const [noise, time] = scope(() => {
      using generator = new Generator(i);
      return [sampleNoise([3, 10, 8], generator).toHost(), sampleTime(betaLaw, 3, generator).toHost()];
    }) as [HostArray, HostArray];
    given.push({ batch: collate(items), noise, time });
  }
  steps = given;
});

/** Flags of `train_steps.py` for some of the steps, written into a folder. */
async function stepFlags(folder: string, from: number, to: number): Promise<string[]> {
  const file = join(folder, `steps-${from}-${to}.safetensors`);
  const tensors = steps.slice(from, to).flatMap(({ batch, noise, time }, i) => {
    const arrays = Object.entries(batch.arrays).filter(
      ([name]) => name === "action" || name.startsWith("observation."),
    );
    return [...arrays, ["noise", noise] as const, ["time", time] as const].map(
      ([name, array]) => [`${i}/${name}`, sourceOf(array)] as const,
    );
  });
  await writeSafetensors(file, new Map(tensors));
  const tasks = JSON.stringify(steps.slice(from, to).map(({ batch }) => batch.tasks));
  return ["--batches", file, "--tasks", tasks, "--total-steps", String(TOTAL_STEPS)];
}

interface Continued {
  readonly log: readonly {
    readonly step: number;
    readonly loss: number;
    readonly gradNorm: number;
    readonly lr: number;
  }[];
  /** trained weights by their published names */
  readonly weights: ReadonlyMap<string, HostArray>;
}

async function continuedByStock(checkpoint: string): Promise<Continued> {
  const output = temporaryFolder();
  await stock(
    "train_steps.py",
    ...["--policy", join(checkpoint, "pretrained_model"), "--resume", checkpoint, "--output", output],
    ...(await stepFlags(output, NUM_BEFORE, steps.length)),
  );
  const log = JSON.parse(readFileSync(join(output, "log.json"), "utf8")) as {
    step: number;
    loss: number;
    grad_norm: number;
    lr: number;
  }[];
  return {
    log: log.map(({ step, loss, grad_norm: gradNorm, lr }) => ({ step, loss, gradNorm, lr })),
    weights: await readSafetensors(join(output, "trainable.safetensors")),
  };
}

/** The checkpoint of stock LeRobot after the first steps. */
async function stockCheckpoint(startPolicy: string): Promise<string> {
  const folder = temporaryFolder();
  const checkpoint = join(folder, "checkpoints", "000003");
  await stock(
    "train_steps.py",
    ...["--policy", startPolicy, "--output", folder, "--checkpoint", checkpoint],
    ...["--overrides", JSON.stringify({ optimizer_lr: 1e-3, scheduler_warmup_steps: 5 })],
    ...(await stepFlags(folder, 0, NUM_BEFORE)),
  );
  return checkpoint;
}

/** Continues a checkpoint's training with our own loop on the given steps. */
async function continuedByUs(checkpoint: string): Promise<Continued> {
  const policyFolder = join(checkpoint, "pretrained_model");
  const policy = await SmolVLAPolicy.load(policyFolder, { device: "cpu", besides: [resolve(FIXTURE)] });
  onTestFinished(() => policy.dispose());
  const { config } = policy;
  const parameters = new Map<string, Tensor>();
  for (const [name, parameter] of policy.model.namedParameters()) {
    parameter.requiresGrad = isTrainable(name, config);
    if (parameter.requiresGrad) parameters.set(name, parameter);
  }
  const optimizer = new AdamW(parameters, {
    betas: config.optimizerBetas,
    eps: config.optimizerEps,
    weightDecay: config.optimizerWeightDecay,
  });
  onTestFinished(() => optimizer.dispose());
  const folders = { policy: policyFolder, state: join(checkpoint, "training_state") };
  const { step: firstStep } = await restoreTrainingState(folders, optimizer, policy.model);
  expect([firstStep, optimizer.numUpdates]).toEqual([NUM_BEFORE, NUM_BEFORE]);
  const schedule = cosineDecayWithWarmup(
    {
      peakLr: config.optimizerLr,
      decayLr: config.schedulerDecayLr,
      numWarmupSteps: config.schedulerWarmupSteps,
      numDecaySteps: config.schedulerDecaySteps,
    },
    TOTAL_STEPS,
  );
  let step = firstStep;
  const events = trainingLoop({
    objective: {
      name: "flow_matching",
      loss: (batch) => {
        const { noise, time } = steps[step++]!;
        return flowMatchingLoss(policy.model, config, batch, {
          noise: tensorFromHost(noise),
          time: tensorFromHost(time),
        });
      },
      dispose: () => {},
    },
    batchesPerStep: 1,
    parameters: [...parameters.values()],
    optimizer,
    schedule,
    maxGradNorm: config.optimizerGradClipNorm,
    batches: {
      next: async (i) => runPreprocessor(policy.processors.preprocessor, steps[i]!.batch, policy.tokenizer),
      close: async () => {},
    },
    toDevice: ({ arrays, tasks }, number, step) => ({
      input: toModelInput(arrays, config, "cpu"),
      arrays,
      tasks,
      number,
      step,
    }),
    device: "cpu",
    seed: 0,
    firstStep,
    numSteps: steps.length,
    checkpoints: undefined,
  });
  const log: Continued["log"][number][] = [];
  for await (const event of events) {
    if (event.kind !== "step") continue;
    const { loss, gradNorm, learningRate } = event;
    log.push({ step: event.step - 1, loss, gradNorm, lr: learningRate });
  }
  return { log, weights: new Map([...parameters].map(([name, parameter]) => [name, parameter.toHost()])) };
}

/** The same losses, gradient norms, rates and weights. */
function expectSameTraining(ours: Continued, theirs: Continued): void {
  expect(theirs.log.map(({ step }) => step)).toEqual(steps.map((_, i) => i).slice(NUM_BEFORE));
  expect(ours.log.map(({ step }) => step)).toEqual(theirs.log.map(({ step }) => step));
  for (const [i, { loss, gradNorm, lr }] of theirs.log.entries()) {
    expect(Math.abs(ours.log[i]!.loss - loss) / loss, `loss ${i}`).toBeLessThanOrEqual(1e-4);
    expect(Math.abs(ours.log[i]!.gradNorm - gradNorm) / gradNorm, `norm ${i}`).toBeLessThanOrEqual(1e-3);
    expect(Math.abs(ours.log[i]!.lr - lr) / lr, `rate ${i}`).toBeLessThanOrEqual(1e-12);
  }
  expect(theirs.weights.size).toBe(ours.weights.size);
  const rate = theirs.log[0]!.lr;
  for (const [name, expected] of theirs.weights) {
    // A step moves an entry by about the rate; entries whose gradients nearly vanish may move differently.
    const difference = largestDifference(ours.weights.get(fromCheckpointName(name)!)!, expected);
    expect(difference, name).toBeLessThanOrEqual(0.2 * rate);
  }
}

const SCHEDULE = [`--steps=${TOTAL_STEPS}`, "--policy.scheduler_warmup_steps=5"];

describe("a checkpoint of ours", () => {
  it(
    "after reflow is loaded by stock LeRobot, all of it and strictly, and gives there the actions it gives here",
    async () => {
      const run = await train(...RUNS.reflow, "--steps=3");
      const checkpoint = lastCheckpoint(run);
      const report = JSON.parse(await stock("load_checkpoint.py", "--policy", checkpoint));
      expect(report).toMatchObject({
        policy: { num_tensors: 124, num_trainable: 308_232 },
        training_state: { step: 3, last_epoch: 3, num_optimizer_states: 47 },
      });
      // Nothing that stock LeRobot would write differently.
      expect([report.config, report.train_config]).toEqual([{}, {}]);
      for (const processor of Object.values(report.processors) as { statistics: Record<string, string[]> }[]) {
        expect(processor.statistics.action).toEqual(expect.arrayContaining(["mean", "std"]));
      }

      const policyFolder = join(checkpoint, "pretrained_model");
      const raw = await rawBatch();
      const noise = (await recorded("parity/forward.safetensors")).get("noise")!;
      const folder = temporaryFolder();
      const observation = Object.entries({ ...raw.arrays, noise }).filter(([name]) =>
        /^(observation\.|noise)/.test(name),
      );
      const file = join(folder, "observation.safetensors");
      await writeSafetensors(file, new Map(observation.map(([name, array]) => [name, sourceOf(array)])));
      const policy = await SmolVLAPolicy.load(policyFolder, { device: "cpu" });
      onTestFinished(() => policy.dispose());
      const output = join(folder, "chunk.safetensors");
      await stock(
        "predict.py",
        ...["--policy", policyFolder, "--observation", file, "--tasks", JSON.stringify(raw.tasks), "--output", output],
      );
      const theirs = await readSafetensors(output);
      const { chunk, robotChunk } = policy.predict(raw, { noise, numSteps: 10 });
      expect(largestDifference(chunk, theirs.get("chunk")!)).toBeLessThanOrEqual(5e-5);
      expect(largestDifference(robotChunk, theirs.get("robot_chunk")!)).toBeLessThanOrEqual(5e-5);
    },
    TIMEOUT_MS,
  );

  it(
    "is continued by stock LeRobot as it is here: the same losses, norms, rates and weights",
    async () => {
      const run = await train(...RUNS["flow matching"], ...SCHEDULE, `--save_freq=${NUM_BEFORE}`);
      const checkpoint = join(run, "checkpoints", "000003");
      expectSameTraining(await continuedByUs(checkpoint), await continuedByStock(checkpoint));
    },
    TIMEOUT_MS,
  );
});

describe("a checkpoint of stock LeRobot", () => {
  it(
    "is continued here as it is there, by the loop and by the command",
    async () => {
      const checkpoint = await stockCheckpoint(TEACHER);
      expectSameTraining(await continuedByUs(checkpoint), await continuedByStock(checkpoint));

      symlinkSync(BASE_VLM, join(checkpoint, "base-vlm"));
      const config = join(checkpoint, "pretrained_model", "train_config.json");
      const log = await trainIn(
        temporaryFolder(),
        ...["--resume=true", `--config_path=${config}`, `--steps=${NUM_BEFORE + 2}`],
        ...["--num_workers=0", "--batch_size=2"],
      );
      expect(log).toContain("continuing after step 3");
    },
    TIMEOUT_MS,
  );

  it(
    "of all weights is continued here as it is there, although some have no part in the loss",
    async () => {
      const start = teacherWith((folder) => {
        const path = join(folder, "config.json");
        const text = readFileSync(path, "utf8").replace('"train_expert_only": true', '"train_expert_only": false');
        writeFileSync(path, text.replace('"freeze_vision_encoder": true', '"freeze_vision_encoder": false'));
      });
      const checkpoint = await stockCheckpoint(start);
      expectSameTraining(await continuedByUs(checkpoint), await continuedByStock(checkpoint));
    },
    TIMEOUT_MS,
  );
});

/** Every way to make pairs, through the command's own settings, to the questions that teacher and student are asked. */
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { heun, solve } from "../../src/flow/index.js";
import { toModelInput, toTargetActions } from "../../src/policy/model-input.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { readRecords } from "../../src/records/read-records.js";
import type { HostArray } from "../../src/support/host-array.js";
import { Generator, noGrad, scope, slice, type Tensor } from "../../src/torch/index.js";
import { BatchSource } from "../../src/train/batch-source.js";
import { parseTrainConfig } from "../../src/train/config.js";
import { reflow } from "../../src/train/objectives/make-objective.js";
import type { TrainingBatch } from "../../src/train/objectives/objective.js";
import { FIXTURE, loadTeacher } from "../parity/fixture.js";
import { observe, type Question } from "./coupling-run.js";
import { DATASET, RUNS, resultOf, TEACHER, temporaryFolder, train, trainIn } from "./training-run.js";

const NUM_SOLVER_STEPS = 2; // of RUNS.reflow

/** Flags of every coupling that makes its pairs while training. */
const COUPLINGS: Readonly<Record<string, readonly string[]>> = {
  "several noises": ["--reflow.noises_per_observation=3"],
  "pairs used again": ["--reflow.pair_uses=3", "--reflow.buffer_batches=2"],
  "pairs used again, two batches a step": [
    "--reflow.pair_uses=2",
    "--reflow.buffer_batches=3",
    "--gradient_accumulation=2",
  ],
  "truncated pairs": ["--reflow.truncate_share=0.4", "--reflow.noises_per_observation=4"],
  "annealed noises": ["--reflow.anneal_steps=3"],
  demonstrations: ["--reflow.real.share=0.5"],
  "snapped pairs": ["--reflow.real.share=0.5", "--reflow.real.kind=snap", "--reflow.real.snap_distance=0.5"],
  "inverted pairs": ["--reflow.real.share=0.9", "--reflow.real.kind=inverted", "--reflow.real.inversion_steps=4"],
  "all at once": [
    "--reflow.noises_per_observation=2",
    "--reflow.pair_uses=3",
    "--reflow.buffer_batches=2",
    "--reflow.truncate_share=0.5",
    "--reflow.anneal_steps=3",
    "--reflow.real.share=0.5",
  ],
};

describe.each(Object.entries(COUPLINGS))("%s", (_, flags) => {
  it("give the same weights, bit by bit, continued in between and with several workers", async () => {
    const schedule = ["--policy.scheduler_decay_steps=8", "--steps=8", "--save_freq=4"];
    const unbroken = await train(...RUNS.reflow, ...flags, ...schedule);
    const continued = temporaryFolder();
    const first = join(unbroken, "checkpoints/000004/pretrained_model/train_config.json");
    await trainIn(continued, "--resume=true", `--config_path=${first}`, "--num_workers=2");
    expect(resultOf(continued).equals(resultOf(unbroken))).toBe(true);
    const plain = await train(...RUNS.reflow, ...schedule, ...flags.filter((flag) => flag.includes("accumulation")));
    expect(resultOf(plain).equals(resultOf(unbroken))).toBe(false);
  });

  it("keep as many tensors at every step, and none after the end", async () => {
    const nested = flags.reduce<Record<string, unknown>>((all, flag) => {
      const [path, value] = flag.slice(2).split("=") as [string, string];
      return set(all, path.split("."), /^[\d.]+$/.test(value) ? Number(value) : value);
    }, {});
    const settings = {
      ...nested,
      policy: { use_reflow: true, teacher_model_path: TEACHER, reflow_num_inference_steps: 1, device: "cpu" },
      dataset: { root: DATASET },
      output_dir: temporaryFolder(),
      batch_size: 2,
      steps: 14,
      eval_freq: 0,
      num_workers: 0,
    };
    const args = ["--expose-gc", "test/memory/train-many-steps.mjs", JSON.stringify(settings)];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, OMP_NUM_THREADS: "1" },
    });
    const { liveTensors, leftTensors } = JSON.parse(stdout) as { liveTensors: number[]; leftTensors: number };
    const numFilling = 3; // steps until a buffer is full
    expect(new Set(liveTensors.slice(numFilling)).size).toBe(1);
    expect(leftTensors).toBe(0);
  });
});

function set(
  all: Record<string, unknown>,
  [name, ...inner]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  if (inner.length === 0) return { ...all, [name!]: value };
  return { ...all, [name!]: set((all[name!] ?? {}) as Record<string, unknown>, inner, value) };
}

/** Numbers of one row of a question. */
const rowsOf = ({ x, numRows }: Question): string[] =>
  Array.from({ length: numRows }, (_, row) =>
    x.slice((row * x.length) / numRows, ((row + 1) * x.length) / numRows).join(),
  );

describe("several noises per observation", () => {
  it("look at images once a step, and ask teacher and student about all pairs together", async () => {
    const { teacher, student, step } = await observe("--reflow.noises_per_observation=3", "--steps=3");
    for (let i = 1; i <= 3; i++) {
      await step();
      expect(student.numEncoded() + teacher.numEncoded()).toBe(i);
      expect(teacher.velocities).toHaveLength(i * NUM_SOLVER_STEPS);
      expect(student.velocities).toHaveLength(i);
    }
    const asked = [...teacher.velocities, ...student.velocities];
    expect(asked.map(({ numRows }) => numRows)).toEqual(asked.map(() => 6));
    expect(new Set(teacher.velocities.flatMap(rowsOf)).size).toBe(6 * teacher.velocities.length);
  });
});

describe("pairs that are used again", () => {
  const flags = ["--reflow.stage=distill", "--reflow.pair_uses=3", "--reflow.buffer_batches=2", "--steps=12"];

  it("are each used exactly as often as asked, and solved once", async () => {
    const { teacher, student, step } = await observe(...flags);
    for (let i = 0; i < 12; i++) await step();
    expect(teacher.velocities).toHaveLength((12 / 3) * NUM_SOLVER_STEPS);
    // At time 1 alone, where the student is asked about the noise itself.
    const noises = student.velocities.map(({ x }) => x.join());
    const solved = teacher.velocities.filter((_, i) => i % NUM_SOLVER_STEPS === 0).map(({ x }) => x.join());
    expect(new Set(solved).size).toBe(4);
    for (const noise of solved) expect(noises.filter((other) => other === noise)).toHaveLength(3);
  });

  it("are learnt at new times at each use", async () => {
    const { student, step } = await observe(...flags, "--reflow.stage=reflow");
    for (let i = 0; i < 6; i++) await step();
    expect(new Set(student.velocities.map(({ time }) => time.join())).size).toBe(6);
  });
});

describe("annealed noises", () => {
  it("are gone from the last step of the ramp on, and were others before", async () => {
    const { teacher, student, step } = await observe("--reflow.stage=distill", "--reflow.anneal_steps=2", "--steps=4");
    for (let i = 0; i < 4; i++) await step();
    const isOwn = student.velocities.map(({ x }, i) => x.join() === teacher.velocities[i * NUM_SOLVER_STEPS]!.x.join());
    expect(isOwn).toEqual([false, false, true, true]);
  });
});

describe("a data_dense grid", () => {
  it("asks the teacher at the squares of equal times", async () => {
    const { teacher, step } = await observe(
      "--reflow.teacher_grid=data_dense",
      "--policy.reflow_num_inference_steps=4",
      "--steps=1",
    );
    await step();
    expect(teacher.velocities.map(({ time }) => time)).toEqual([1, 0.75, 0.5, 0.25].map((t) => [t ** 2, t ** 2]));
  });
});

describe("truncated pairs", () => {
  it("leave the farthest pairs of each task out of the loss and of what is recorded", async () => {
    const { step } = await observe(...COUPLINGS["truncated pairs"]!, "--batch_size=5", "--steps=4");
    for (let i = 0; i < 4; i++) {
      const { figures } = await step();
      const truncated = figures.find(({ name }) => name === "pairs/truncated")!;
      // 20 pairs of two tasks in multiples of 4: floor(0.4 * n) of each
      expect(truncated.weight).toBe(20);
      expect([7, 8]).toContain(Math.round(truncated.value * 20));
      const numLearnt = figures.reduce((n, { name, weight }) => (name.startsWith("loss_at_time") ? n + weight : n), 0);
      expect(numLearnt).toBe(20 - Math.round(truncated.value * 20));
    }
  });

  it("are recorded, and a share that no batch can leave out is warned of", async () => {
    const run = temporaryFolder();
    const log = await trainIn(run, ...RUNS.reflow, "--reflow.truncate_share=0.4", "--steps=2", "--log_freq=1");
    expect(log).toContain("reflow.truncate_share has no effect: a batch has too few pairs");
    expect(await recordedFigures(run, "train/pairs/truncated")).toEqual([0, 0]);
  });
});

/** Values of a metric at the steps that were recorded. */
async function recordedFigures(run: string, name: string): Promise<(number | undefined)[]> {
  const { records } = await readRecords(join(run, "records.jsonl"));
  return records.flatMap((record) => (record.event === "step" ? [record.metrics[name]] : []));
}

describe("real data among the pairs", () => {
  let teacher: SmolVLAPolicy;
  let batch: TrainingBatch;
  let isPad: readonly number[];
  const NUM_FRAMES = 16;

  beforeAll(async () => {
    teacher = await loadTeacher();
    const source = await BatchSource.open({
      dataset: { root: resolve(FIXTURE, "dataset-v3.0"), chunkSize: 10 },
      preprocessor: teacher.processors.preprocessor,
      tokenizerFolder: teacher.tokenizerFolder,
      batchSize: 1,
      seed: 0,
      items: [Array.from({ length: NUM_FRAMES }, (_, i) => 31 + i)], // the first episode ends with frame 43
    });
    const { arrays, tasks } = await source.batch(0);
    await source.close();
    batch = { input: toModelInput(arrays, teacher.config, "cpu"), arrays, tasks, number: 0, step: 0 };
    isPad = Array.from((arrays.action_is_pad as HostArray).data, Number);
    expect(isPad).toContain(1);
    return () => teacher.dispose();
  });

  /** The problem of the batch, as the settings pose it; noises and choices are those of one seed. */
  function pose(real: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}) {
    const { config } = parseTrainConfig({
      policy: { use_reflow: true, teacher_model_path: TEACHER, reflow_num_inference_steps: 10 },
      dataset: { root: DATASET },
      reflow: { real, teacher_grid: "data_dense", ...more },
    });
    const objective = reflow(config, { teacher, student: teacher, sharesContext: true, seed: 1, stored: undefined });
    using generator = new Generator(6);
    return objective.pose(batch, generator);
  }

  const rows = (x: Tensor): string[] => {
    const values = x.toNumbers();
    const length = values.length / x.size(0);
    return Array.from({ length: x.size(0) }, (_, i) => values.slice(i * length, (i + 1) * length).join());
  };
  const figure = ({ figures }: ReturnType<typeof pose>, name: string) => figures?.find((one) => one.name === name);
  const demonstrated = (): string[] => rows(toTargetActions(batch.arrays, teacher.config, "cpu"));

  it("as demonstrations take the actions of a share, with their padding and time law, and leave the noise", () => {
    scope(() => {
      const [plain, mixed] = [pose({}), pose({ share: 0.5 })];
      const isChosen = mixed.isIndependent!.toNumbers().map((flag) => flag === 1);
      expect(isChosen.filter(Boolean).length).toBeGreaterThan(3);
      expect(isChosen.filter(Boolean).length).toBeLessThan(13);
      expect(rows(mixed.noise)).toEqual(rows(plain.noise));
      const [own, other] = [rows(plain.actions), demonstrated()];
      expect(rows(mixed.actions)).toEqual(isChosen.map((chosen, i) => (chosen ? other[i] : own[i])));
      expect(mixed.isPad!.toNumbers()).toEqual(isPad.map((flag, i) => (isChosen[Math.floor(i / 10)] ? flag : 0)));
      const times = pose({ share: 0.5 }, { time: { share_at_atoms: 1 } }).time.toNumbers();
      expect(times.map((time) => time === 1)).toEqual(isChosen.map((chosen) => !chosen));
      expect(pose({ share: 1 }).isIndependent!.toNumbers()).toEqual(Array(NUM_FRAMES).fill(1));
    });
  });

  it("count also where the pair that they replace was truncated", () => {
    scope(() => {
      const truncated = { truncate_share: 0.5 };
      const [without, mixed] = [pose({}, truncated), pose({ share: 0.5 }, truncated)];
      const isChosen = mixed.isIndependent!.toNumbers();
      const weights = without.weights!.toNumbers();
      expect(weights.filter((weight, i) => weight === 0 && isChosen[i] === 1)).not.toEqual([]);
      expect(mixed.weights!.toNumbers()).toEqual(weights.map((weight, i) => (isChosen[i] === 1 ? 1 : weight)));
    });
  });

  it("by snapping take real dimensions within the episode where the pair is near, at no distance and at any", () => {
    scope(() => {
      const plain = pose({});
      const never = pose({ share: 1, kind: "snap", snap_distance: 1e-9 });
      expect(rows(never.actions)).toEqual(rows(plain.actions));
      expect(figure(never, "pairs/snapped")).toEqual({ name: "pairs/snapped", value: 0, weight: NUM_FRAMES });
      const always = pose({ share: 1, kind: "snap", snap_distance: 1e9 });
      expect(figure(always, "pairs/snapped")).toEqual({ name: "pairs/snapped", value: 1, weight: NUM_FRAMES });
      expect(rows(always.noise)).toEqual(rows(plain.noise));
      expect(always.isPad).toBeUndefined();
      const [own, other] = [
        plain.actions.toNumbers(),
        toTargetActions(batch.arrays, teacher.config, "cpu").toNumbers(),
      ];
      const isTaken = (i: number): boolean => i % 8 < 3 && isPad[Math.floor(i / 8)] === 0;
      expect(always.actions.toNumbers()).toEqual(own.map((x, i) => (isTaken(i) ? other[i] : x)));
    });
  });

  it("by inversion take demonstrations with noises that lead to them, and keep the pair where none does", () => {
    scope(() => {
      const plain = pose({});
      const mixed = pose({ share: 1, kind: "inverted", inversion_steps: 40, inversion_error: 0.1 });
      const [own, other, actions] = [rows(plain.actions), demonstrated(), rows(mixed.actions)];
      const isReplaced = actions.map((row, i) => row === other[i]);
      expect(actions).toEqual(isReplaced.map((replaced, i) => (replaced ? other[i] : own[i])));
      const numReplaced = isReplaced.filter(Boolean).length;
      expect(numReplaced).toBeGreaterThan(0);
      expect(figure(mixed, "pairs/inverted")).toEqual({
        name: "pairs/inverted",
        value: numReplaced / NUM_FRAMES,
        weight: NUM_FRAMES,
      });
      expect(mixed.isPad!.toNumbers()).toEqual(isPad.map((flag, i) => (isReplaced[Math.floor(i / 10)] ? flag : 0)));
      const isOwnNoise = rows(mixed.noise).map((row, i) => row === rows(plain.noise)[i]);
      expect(isOwnNoise).toEqual(isReplaced.map((replaced) => !replaced));
      // Solved in the full width from there, the teacher acts as was demonstrated; from the pair's own noise it does not.
      const demonstrations = toTargetActions(batch.arrays, teacher.config, "cpu");
      const error = (noise: Tensor): number =>
        noGrad(() => {
          const prefix = teacher.model.encodePrefix(batch.input);
          const solved = solve(heun, (x, time) => teacher.model.velocity(prefix, x, time), noise, 40);
          const [a, b] = [slice(solved, -1, 0, 3).toNumbers(), slice(demonstrations, -1, 0, 3).toNumbers()];
          const squares = a.flatMap((x, i) => (isReplaced[Math.floor(i / 30)] ? [(x - b[i]!) ** 2] : []));
          return Math.sqrt(squares.reduce((sum, x) => sum + x, 0) / squares.length);
        });
      expect(error(mixed.noise)).toBeLessThan(error(plain.noise) / 2);
    });
  });

  it("is recorded as the share that was taken of those that were tried", async () => {
    const figures = async (kind: string): Promise<(number | undefined)[]> => {
      const flags = [`--reflow.real.kind=${kind}`, "--reflow.real.share=1", "--reflow.real.snap_distance=0.3"];
      const run = await train(...RUNS.reflow, ...flags, "--batch_size=8", "--steps=2", "--log_freq=1");
      return recordedFigures(run, `train/pairs/${kind === "snap" ? "snapped" : "inverted"}`);
    };
    for (const kind of ["snap", "inverted"]) {
      const shares = await figures(kind);
      expect(shares).toHaveLength(2);
      for (const share of shares) expect(Number.isInteger(share! * 8), `${kind} ${share}`).toBe(true);
    }
  });
});

/** `reflow train --reflow.pairs`: learning from pairs that were stored, and from none that were made for something else. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { truncateFar } from "../../src/flow/index.js";
import { toModelInput } from "../../src/policy/model-input.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { noGrad, scope, tensor } from "../../src/torch/index.js";
import { BatchSource } from "../../src/train/batch-source.js";
import type { PairManifest } from "../../src/train/pairs/pair-manifest.js";
import { loadTeacher } from "../parity/fixture.js";
import { observe, type Question } from "./coupling-run.js";
import { makePairSet, makePairsIn, manifestOf } from "./pair-making.js";
import {
  changedCopy,
  DATASET,
  lastCheckpoint,
  RUNS,
  resultOf,
  TEACHER,
  teacherWith,
  temporaryFolder,
  train,
  trainIn,
  tryTraining,
} from "./training-run.js";

const NUM_STORED = 4;
const SIZE = 10 * 8; // entries of a chunk
/** The episodes of the set, all of them learnt from. */
const EPISODES = ["--dataset.episodes=[0,1]", "--held_out.share=0"];

let set: string;
let pairs: readonly StoredPair[];
beforeAll(async () => {
  const home = mkdtempSync(join(tmpdir(), "reflow-pairs-"));
  set = join(home, "pairs");
  await makePairsIn(set, `--num_noises_per_observation=${NUM_STORED}`, "--reflow.teacher_solver=midpoint");
  pairs = await readPairs(set);
  return () => rmSync(home, { recursive: true });
});

const learning = (...flags: readonly string[]) => [...EPISODES, `--reflow.pairs=${set}`, ...flags];

interface StoredPair {
  readonly frame: number;
  readonly number: number;
  readonly task: number;
  readonly noise: Float32Array;
  readonly actions: Float32Array;
}

async function readPairs(folder: string): Promise<StoredPair[]> {
  const { frames, taskIndices, numNoises } = manifestOf(folder);
  const shards = await Promise.all(
    [0, 1, 2, 3, 4].map((shard) => readSafetensors(join(folder, `pairs-0000${shard}.safetensors`))),
  );
  return frames.flatMap((frame, place) =>
    Array.from({ length: numNoises }, (_, number) => {
      const start = ((place % 20) * numNoises + number) * SIZE;
      const chunk = (name: string) =>
        (shards[Math.floor(place / 20)]!.get(name)!.data as Float32Array).subarray(start, start + SIZE);
      return { frame, number, task: taskIndices[place]!, noise: chunk("noise"), actions: chunk("actions") };
    }),
  );
}

/** The stored pair on whose line each row of a question lies. */
const pairsIn = ({ x, time, numRows }: Question): StoredPair[] =>
  Array.from({ length: numRows }, (_, row) => {
    const t = time[row]!;
    const found = pairs.filter(({ noise, actions }) =>
      noise.every((n, i) => Math.abs(t * n + (1 - t) * actions[i]! - x[row * SIZE + i]!) < 1e-5),
    );
    expect(found).toHaveLength(1);
    return found[0]!;
  });

describe("training on stored pairs", () => {
  it("begins with the very loss that the set gives by hand, and never solves the teacher", async () => {
    const { teacher, student, step } = await observe(...learning("--batch_size=4", "--steps=2"));
    const { loss } = await step();
    await step();
    expect(teacher.velocities).toEqual([]);
    const question = student.velocities[0]!;
    const chosen = pairsIn(question);
    const untouched = await loadTeacher();
    const source = await BatchSource.open({
      dataset: { root: DATASET },
      preprocessor: untouched.processors.preprocessor,
      tokenizerFolder: untouched.tokenizerFolder,
      batchSize: 4,
      seed: 0,
      items: [chosen.map(({ frame }) => frame)],
    });
    const { arrays } = await source.batch(0);
    const predicted = noGrad(() =>
      scope(() => {
        const prefix = untouched.model.encodePrefix(toModelInput(arrays, untouched.config, "cpu"));
        const time = tensor([...question.time]);
        return untouched.model.velocity(prefix, tensor([...question.x], [4, 10, 8]), time).toNumbers();
      }),
    );
    const squares = chosen.flatMap(({ noise, actions }, row) =>
      Array.from(noise, (n, i) => (predicted[row * SIZE + i]! - (n - actions[i]!)) ** 2),
    );
    const byHand = squares.reduce((sum, square) => sum + square, 0) / squares.length;
    expect(Math.abs(loss - byHand) / byHand).toBeLessThan(1e-4);
    await source.close();
    untouched.dispose();
  });

  it("takes different pairs of an observation, and others at its next turn", async () => {
    const { student, step } = await observe(
      ...learning("--reflow.noises_per_observation=3", "--batch_size=41", "--steps=6"),
    );
    for (let i = 0; i < 6; i++) await step();
    const turns = student.velocities.map((question) => pairsIn(question));
    const ofFrames = new Map<number, string[]>();
    for (const turn of turns) {
      for (let i = 0; i < turn.length; i += 3) {
        const three = turn.slice(i, i + 3);
        expect(new Set(three.map(({ frame }) => frame)).size).toBe(1);
        expect(new Set(three.map(({ number }) => number)).size).toBe(3);
        const { frame } = three[0]!;
        ofFrames.set(frame, [...(ofFrames.get(frame) ?? []), three.map(({ number }) => number).join()]);
      }
    }
    expect(ofFrames.size).toBe(82);
    expect([...ofFrames.values()].every((picks) => picks.length === 3)).toBe(true); // three epochs of two steps
    expect([...ofFrames.values()].filter((picks) => new Set(picks).size === 1).length).toBeLessThan(20);
  });

  it("leaves out exactly the share of each task's pairs that lie farthest, whatever the batch", async () => {
    const share = 0.3;
    const distances = pairs.map(({ noise, actions }) =>
      Math.sqrt(noise.reduce((sum, n, i) => (i % 8 < 3 ? sum + (n - actions[i]!) ** 2 : sum), 0)),
    );
    const tasks = pairs.map(({ task }) => task);
    const weights = truncateFar(distances, tasks, share);
    for (const task of [0, 1]) {
      const ofTask = weights.filter((_, i) => tasks[i] === task);
      expect(ofTask.filter((weight) => weight === 0)).toHaveLength(Math.floor(share * ofTask.length));
    }
    const { student, step } = await observe(
      ...learning(`--reflow.truncate_share=${share}`, "--batch_size=3", "--steps=30"),
    );
    const seen = { kept: 0, left: 0 };
    for (let i = 0; i < 30; i++) {
      const { figures } = await step();
      const kept = pairsIn(student.velocities[i]!).reduce((n, pair) => n + weights[pairs.indexOf(pair)]!, 0);
      const learnt = figures.filter(({ name }) => name.startsWith("loss_at_time"));
      expect(learnt.reduce((n, { weight }) => n + weight, 0)).toBe(kept);
      seen.kept += kept;
      seen.left += student.velocities[i]!.numRows - kept;
    }
    expect(seen.left).toBeGreaterThan(10);
    expect(seen.kept).toBeGreaterThan(seen.left);
  });

  it("is continued bit by bit, with any number of workers, and recorded as what it was", async () => {
    const flags = [...RUNS.reflow, ...learning("--reflow.noises_per_observation=2", "--reflow.truncate_share=0.2")];
    const unbroken = await train(...flags, "--steps=6", "--save_freq=3");
    const continued = temporaryFolder();
    const first = join(unbroken, "checkpoints/000003/pretrained_model/train_config.json");
    const log = await trainIn(continued, "--resume=true", `--config_path=${first}`, "--num_workers=2");
    expect(resultOf(continued).equals(resultOf(unbroken))).toBe(true);
    expect(log).toContain(
      "policy.reflow_num_inference_steps has no effect: reflow.pairs is given, whose pairs were made before",
    );
    const provenance = JSON.parse(
      readFileSync(join(lastCheckpoint(continued), "pretrained_model/reflow.json"), "utf8"),
    );
    expect(provenance).toMatchObject({
      k: 2,
      pairs: {
        solver: "midpoint",
        grid: "uniform",
        numSteps: 2,
        source: "stored",
        noisesPerObservation: 2,
        noisesStored: 4,
      },
    });
  });

  it("goes with real data of every kind", async () => {
    for (const kind of ["demonstrations", "snap", "inverted"]) {
      const real = ["--reflow.real.share=0.5", `--reflow.real.kind=${kind}`, "--reflow.real.inversion_steps=4"];
      await train(...RUNS.reflow, ...learning(...real), "--steps=2");
    }
  });
});

/** The last line, or lines, of a run that is refused. */
async function refusal(...flags: readonly string[]): Promise<string> {
  const { code, err } = await tryTraining(temporaryFolder(), ...RUNS.reflow, ...EPISODES, "--steps=1", ...flags);
  expect(code).toBe(1);
  expect(err).not.toMatch(/internal:|\n {4}at /);
  return err.slice(err.indexOf("--reflow."));
}

const mismatch = (folder: string, what: RegExp): RegExp =>
  new RegExp(
    `^--reflow\\.pairs: ${folder} was not made for this run\\. What differs \\(in the set; in the run\\):\n` +
      `${what.source}\nMake a new set with \`reflow pairs\`, or give the teacher, dataset and settings that it was made with\n$`,
  );

/** A copy of the set with a changed manifest. */
const changedSet = (change: (manifest: PairManifest) => Partial<PairManifest>): string =>
  changedCopy(set, (copy) => {
    const manifest = manifestOf(copy);
    writeFileSync(join(copy, "pairs.json"), JSON.stringify({ ...manifest, ...change(manifest) }));
  });

describe("a set that does not fit is refused for", () => {
  const HASHES = "[0-9a-f]{12}; [0-9a-f]{12}";

  it("another teacher's weights", async () => {
    const other = teacherWith((folder) => {
      const path = join(folder, "model.safetensors");
      const bytes = readFileSync(path);
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(path, bytes);
    });
    expect(await refusal(`--reflow.pairs=${set}`, `--policy.teacher_model_path=${other}`)).toMatch(
      mismatch(set, new RegExp(`  - teacher's weights: ${HASHES}`)),
    );
  });

  it("other statistics", async () => {
    const name = "policy_preprocessor_step_5_normalizer_processor.safetensors";
    const statistics = await readSafetensors(join(TEACHER, name));
    const state = statistics.get("observation.state.mean")!;
    const moved = { ...state, data: Float32Array.from(state.data as Float32Array, (x) => x + 0.5) };
    const other = teacherWith(() => {});
    await writeSafetensors(
      join(other, name),
      new Map(
        [...statistics, ["observation.state.mean", moved] as const].map(([key, array]) => [key, sourceOf(array)]),
      ),
      null,
    );
    expect(await refusal(`--reflow.pairs=${set}`, `--policy.teacher_model_path=${other}`)).toMatch(
      mismatch(
        set,
        new RegExp(`  - teacher's statistics: ${HASHES}\n  - processors, --rename_map included: ${HASHES}`),
      ),
    );
  });

  it("other processors", async () => {
    const other = teacherWith((folder) => {
      const path = join(folder, "policy_preprocessor.json");
      const text = readFileSync(path, "utf8");
      expect(text).toContain('"max_length": 24');
      writeFileSync(path, text.replace('"max_length": 24', '"max_length": 23'));
    });
    expect(await refusal(`--reflow.pairs=${set}`, `--policy.teacher_model_path=${other}`)).toMatch(
      mismatch(set, new RegExp(`  - processors, --rename_map included: ${HASHES}`)),
    );
  });

  it("other names of cameras", async () => {
    const swapped =
      '--rename_map={"observation.images.top":"observation.images.wrist","observation.images.wrist":"observation.images.top"}';
    expect(await refusal(`--reflow.pairs=${set}`, swapped)).toMatch(
      mismatch(set, new RegExp(`  - processors, --rename_map included: ${HASHES}`)),
    );
  });

  it("another dataset", async () => {
    const other = changedCopy(DATASET, (copy) => {
      const path = join(copy, "meta/stats.json");
      writeFileSync(path, `${readFileSync(path, "utf8")} `);
    });
    expect(await refusal(`--reflow.pairs=${set}`, `--dataset.root=${other}`)).toMatch(
      mismatch(set, new RegExp(`  - dataset: ${HASHES}`)),
    );
  });

  it("another rule for padded dimensions", async () => {
    expect(await refusal(`--reflow.pairs=${set}`, "--reflow.padded_dims=zero")).toMatch(
      mismatch(set, / {2}- --reflow\.padded_dims: teacher; zero/),
    );
  });

  it("other conventions, each named", async () => {
    const other = changedSet(() => ({
      conventions: { time: "0 is noise, 1 is actions", velocity: "actions - noise", noise: "real dimensions" },
    }));
    expect(await refusal(`--reflow.pairs=${other}`)).toMatch(
      mismatch(
        other,
        / {2}- convention of time: 0 is noise, 1 is actions; 1 is noise, 0 is actions\n {2}- convention of velocity: actions - noise; noise - actions\n {2}- convention of noise: real dimensions; standard normal in all padded action dimensions/,
      ),
    );
  });

  it("chunks of another shape", async () => {
    const other = changedSet(() => ({ chunkSize: 9, maxActionDim: 7, actionDim: 2 }));
    expect(await refusal(`--reflow.pairs=${other}`)).toMatch(
      mismatch(other, / {2}- chunk_size: 9; 10\n {2}- max_action_dim: 7; 8\n {2}- action dimensions: 2; 3/),
    );
  });

  it("frames that it has no pairs for", async () => {
    expect(await refusal(`--reflow.pairs=${set}`, "--dataset.episodes=[0,1,3]")).toMatch(
      /^--reflow\.pairs: .* has no pairs for \d+ of the run's \d+ frames \(first: frame 1\d\d\)\. Make them for the same episodes, or choose episodes with --dataset\.episodes\n$/,
    );
  });

  it("fewer pairs than a batch shall take", async () => {
    expect(await refusal(`--reflow.pairs=${set}`, "--reflow.noises_per_observation=5")).toBe(
      `--reflow.noises_per_observation: expected at most the 4 pairs that ${set} holds of each observation, got 5\n`,
    );
  });

  it("no set in the folder, and shards that are not what the manifest says", async () => {
    const empty = temporaryFolder();
    const { err } = await tryTraining(temporaryFolder(), ...RUNS.reflow, ...EPISODES, `--reflow.pairs=${empty}`);
    expect(err).toContain(`${empty}/pairs.json: file not found. \`reflow pairs\` writes a pair set`);
    const other = changedSet(() => ({ numNoises: 3 }));
    const shapes = await tryTraining(temporaryFolder(), ...RUNS.reflow, ...EPISODES, `--reflow.pairs=${other}`);
    expect(shapes.code).toBe(1);
    expect(shapes.err).toContain(`${other}/pairs-00000.safetensors: noise`);
  });

  it("settings that stored pairs cannot have", async () => {
    const { err } = await tryTraining(
      temporaryFolder(),
      ...RUNS.reflow,
      ...learning("--reflow.pair_uses=2", "--reflow.state_noise=0.1"),
    );
    expect(err).toContain("reflow.pair_uses: expected 1 beside reflow.pairs, got 2");
    expect(err).toContain("reflow.state_noise: expected 0 beside reflow.pairs, got 0.1");
  });
});

describe("frames that are held out", () => {
  it("need no pairs", async () => {
    const first = await makePairSet("--dataset.episodes=[0]");
    const measured = ["--eval_freq=2", "--held_out.reference_steps=2", "--held_out.num_noises=2"];
    const flags = [...RUNS.reflow, ...measured, "--dataset.episodes=[0,1]", `--reflow.pairs=${first}`, "--steps=2"];
    await train(...flags); // holds out episode 1
    const { code, err } = await tryTraining(temporaryFolder(), ...flags, "--held_out.share=0");
    expect(code).toBe(1);
    expect(err).toContain(`${first} has no pairs for 38 of the run's 82 frames (first: frame 44)`);
  });
});

describe("a set whose noise is narrow, 0 in the dimensions that the robot does not have", () => {
  it("is named at the first batch, and nothing is learnt from it", async () => {
    const narrow = changedCopy(set, () => {});
    for (const shard of [0, 1, 2, 3, 4]) {
      const path = join(narrow, `pairs-0000${shard}.safetensors`);
      const tensors = await readSafetensors(path);
      const noise = tensors.get("noise")!.data as Float32Array;
      for (let i = 0; i < noise.length; i++) if (i % 8 >= 3) noise[i] = 0;
      await writeSafetensors(path, new Map([...tensors].map(([name, array]) => [name, sourceOf(array)])));
    }
    const run = temporaryFolder();
    const flags = [...RUNS.reflow, ...EPISODES, `--reflow.pairs=${narrow}`, "--steps=2", "--save_freq=1"];
    const { code, err } = await tryTraining(run, ...flags);
    expect(code).toBe(1);
    expect(err).toContain(
      "step-0 gate: expected noise in all 8 action dimensions, got zeros alone in 5 of them (3, 4, 5, 6, 7)",
    );
    expect(existsSync(join(run, "checkpoints"))).toBe(false);
  });
});

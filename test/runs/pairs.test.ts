/** `reflow pairs`: what it stores, and what it does about being stopped, disturbed or misused. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { heun, solve } from "../../src/flow/index.js";
import { toModelInput } from "../../src/policy/model-input.js";
import { repeatPrefix } from "../../src/smolvla/repeat-prefix.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { noGrad, numLiveTensors, reshape, scope, slice, tensorFromHost } from "../../src/torch/index.js";
import { BatchSource } from "../../src/train/batch-source.js";
import { largestDifference, loadTeacher } from "../parity/fixture.js";
import { bytesOfSet, makePairSet, makePairsIn, manifestOf, PAIRS, startPairs, tryPairs } from "./pair-making.js";
import { DATASET, RUNS, TEACHER, temporaryFolder, tryTraining, weightsOf } from "./training-run.js";

/** Stored noises or actions by frame and number, as bytes. */
async function storedPairs(folder: string, name: "noise" | "actions"): Promise<Map<string, string>> {
  const { frames, numNoises } = manifestOf(folder);
  const pairs = new Map<string, string>();
  let place = 0;
  for (const file of readdirSync(folder)
    .filter((file) => file.endsWith(".safetensors"))
    .sort()) {
    const { shape, data } = (await readSafetensors(join(folder, file))).get(name)!;
    const [n, , A, M] = shape as [number, number, number, number];
    for (let i = 0; i < n; i++, place++) {
      for (let j = 0; j < numNoises; j++) {
        const start = (i * numNoises + j) * A * M;
        pairs.set(`${frames[place]}/${j}`, (data as Float32Array).subarray(start, start + A * M).join());
      }
    }
  }
  return pairs;
}

describe("a pair set", () => {
  it("says what its pairs are", async () => {
    const folder = await makePairSet("--reflow.teacher_solver=heun", "--reflow.teacher_grid=data_dense", "--seed=7");
    expect(readdirSync(folder)).toEqual([0, 1, 2, 3, 4].map((i) => `pairs-0000${i}.safetensors`).concat("pairs.json"));
    expect(manifestOf(folder)).toMatchObject({
      teacher: { path: TEACHER, k: 1 },
      dataset: { repoId: null },
      solver: "heun",
      grid: "data_dense",
      numSteps: 2,
      paddedDims: "teacher",
      precision: "fp32",
      seed: 7,
      numNoises: 2,
      chunkSize: 10,
      maxActionDim: 8,
      actionDim: 3,
      framesPerShard: 20,
      frames: Array.from({ length: 82 }, (_, i) => i),
    });
    expect(new Set(manifestOf(folder).taskIndices)).toEqual(new Set([0, 1]));
  });

  it("holds where the teacher carries its noises, for the frame they belong to, and how far", async () => {
    const folder = await makePairSet("--reflow.teacher_solver=heun", "--num_noises_per_observation=3");
    const shard = await readSafetensors(join(folder, "pairs-00002.safetensors")); // frames 40 to 59
    const teacher = await loadTeacher();
    const source = await BatchSource.open({
      dataset: { root: DATASET },
      preprocessor: teacher.processors.preprocessor,
      tokenizerFolder: teacher.tokenizerFolder,
      batchSize: 1,
      seed: 0,
      items: [[47]],
    });
    const raw = await source.batch(0);
    scope(() => {
      const at = (name: string, shape: readonly number[]) =>
        reshape(slice(tensorFromHost(shard.get(name)!), 0, 7, 8), shape);
      const [noise, actions] = [at("noise", [3, 10, 8]), at("actions", [3, 10, 8])];
      const once = teacher.model.encodePrefix(toModelInput(raw.arrays, teacher.config, "cpu"));
      const prefix = repeatPrefix(once, 3);
      const solved = noGrad(() => solve(heun, (x, time) => teacher.model.velocity(prefix, x, time), noise, 2));
      expect(largestDifference(actions, solved)).toBeLessThan(1e-5);
      expect(largestDifference(slice(actions, 0, 0, 1), slice(actions, 0, 1, 2))).toBeGreaterThan(0.01);
      const squares = Array(3).fill(0) as number[];
      const [from, to] = [noise.toNumbers(), actions.toNumbers()];
      for (const [i, x] of from.entries()) if (i % 8 < 3) squares[Math.floor(i / 80)]! += (x - to[i]!) ** 2;
      for (const [j, distance] of at("distance", [3]).toNumbers().entries()) {
        expect(distance).toBeCloseTo(Math.sqrt(squares[j]!), 4);
      }
    });
    await source.close();
    teacher.dispose();
  });

  it("has noises that depend on the seed, the frame and their number alone", async () => {
    const noises = await storedPairs(await makePairSet(), "noise");
    const others = await storedPairs(
      await makePairSet(
        "--dataset.episodes=[1]",
        "--num_noises_per_observation=3",
        "--batch_size=5",
        "--frames_per_shard=7",
        "--reflow.teacher_solver=midpoint",
      ),
      "noise",
    );
    const shared = [...others.keys()].filter((key) => noises.has(key));
    expect(shared).toHaveLength(2 * 38);
    for (const key of shared) expect(others.get(key), key).toBe(noises.get(key));
    expect(new Set(noises.values()).size).toBe(2 * 82);
    const reseeded = await storedPairs(await makePairSet("--seed=8"), "noise");
    expect([...noises.values()].filter((noise) => [...reseeded.values()].includes(noise))).toEqual([]);
  });

  it("has zeros in padded dimensions with padded_dims=zero, and the teacher's own real ones", async () => {
    const [own, zeroed] = await Promise.all(
      [await makePairSet(), await makePairSet("--reflow.padded_dims=zero")].map((folder) =>
        readSafetensors(join(folder, "pairs-00000.safetensors")),
      ),
    );
    const [a, b] = [own!.get("actions")!.data as Float32Array, zeroed!.get("actions")!.data as Float32Array];
    const isReal = (i: number): boolean => i % 8 < 3;
    expect(b.filter((_, i) => isReal(i))).toEqual(a.filter((_, i) => isReal(i)));
    expect(b.every((x, i) => isReal(i) || x === 0)).toBe(true);
    expect(a.every((x, i) => isReal(i) || x === 0)).toBe(false);
  });

  it("is the same with any number of workers, and with the default of every frame in one shard", async () => {
    const folder = await makePairSet();
    expect(bytesOfSet(await makePairSet("--num_workers=2"))).toEqual(bytesOfSet(folder));
    const joined = await makePairSet("--frames_per_shard=null", "--batch_size=82");
    expect(readdirSync(joined)).toEqual(["pairs-00000.safetensors", "pairs.json"]);
    expect(await storedPairs(joined, "noise")).toEqual(await storedPairs(folder, "noise"));
  });

  it("comes with a comparison of the solver with itself at twice the steps, which more steps bring down", async () => {
    const change = async (...flags: string[]): Promise<number> => {
      const log = await makePairsIn(join(temporaryFolder(), "pairs"), "--dataset.episodes=[0]", ...flags);
      const [, steps, percent] = /twice the (\d+) steps would change actions by ([\d.]+) % of their spread/.exec(log)!;
      expect(flags).toContain(`--policy.reflow_num_inference_steps=${steps}`);
      return Number(percent);
    };
    const [few, many] = [
      await change("--policy.reflow_num_inference_steps=2"),
      await change("--policy.reflow_num_inference_steps=30"),
    ];
    expect(few).toBeGreaterThan(20);
    expect(many).toBeLessThan(few / 5);
  });
});

describe("a set that was stopped", () => {
  /** Long enough for a signal to come in time. */
  const SLOW = "--policy.reflow_num_inference_steps=8";

  it("by a kill is continued by the same command to the bytes of an unbroken one", async () => {
    const whole = bytesOfSet(await makePairSet(SLOW));
    const folder = join(temporaryFolder(), "pairs");
    const { child, ended } = startPairs([...PAIRS, SLOW, `--output=${folder}`]);
    while (!existsSync(join(folder, "pairs-00001.safetensors"))) await wait(5);
    child.kill("SIGKILL");
    await ended;
    expect(existsSync(join(folder, "pairs-00004.safetensors"))).toBe(false);
    writeFileSync(join(folder, ".pairs-00002.safetensors.1-abcdef01.tmp"), "half");
    const log = await makePairsIn(folder, SLOW, "--num_workers=2");
    expect(log).toMatch(/continuing: the pairs of \d0 frames are there, [1-4] of 5 shards are missing/);
    expect(bytesOfSet(folder)).toEqual(whole);
  });

  it("at any shard gets the ones that are missing, and only those", async () => {
    const folder = await makePairSet();
    const whole = bytesOfSet(folder);
    for (const lost of [[0], [4], [1, 3], [0, 1, 2, 3, 4]]) {
      for (const shard of lost) rmSync(join(folder, `pairs-0000${shard}.safetensors`));
      const kept = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).ino]);
      const log = await makePairsIn(folder);
      if (lost.length < 5) expect(log).toContain(`${lost.length} of 5 shards are missing`);
      expect(bytesOfSet(folder)).toEqual(whole);
      for (const [name, inode] of kept) expect(statSync(join(folder, String(name))).ino, String(name)).toBe(inode);
    }
    expect(await makePairsIn(folder)).toContain("all pairs are there already");
    expect(bytesOfSet(folder)).toEqual(whole);
  });

  it("by Ctrl-C ends with 130, keeps finished shards and says how to go on", async () => {
    const whole = bytesOfSet(await makePairSet(SLOW));
    const folder = join(temporaryFolder(), "pairs");
    const { child, ended } = startPairs([...PAIRS, SLOW, `--output=${folder}`]);
    while (!existsSync(join(folder, "pairs-00000.safetensors"))) await wait(5);
    child.kill("SIGINT");
    const { code, err } = await ended;
    expect(err).toMatch(/interrupted with the pairs of [2468]0 of 82 frames\. The same command continues\n$/);
    expect(code).toBe(130);
    expect(existsSync(join(folder, ".lock"))).toBe(false);
    await makePairsIn(folder, SLOW);
    expect(bytesOfSet(folder)).toEqual(whole);
  });

  it("by a full disk names the file, keeps finished shards and is continued", async () => {
    const folder = await makePairSet();
    const whole = bytesOfSet(folder);
    const lost = "pairs-00002.safetensors";
    rmSync(join(folder, lost));
    // A limit on the size of a file stands for it: writing stops in the middle, at the same place in the program.
    const { code, err } = await startPairs([...PAIRS, `--output=${folder}`], "ulimit -f 20;").ended;
    expect(code).toBe(1);
    expect(err.trimEnd().split("\n").at(-1)).toBe(
      `pairs: ${folder}/${lost} cannot be written (EFBIG: file too large, write). Finished shards are whole; the same command continues after them`,
    );
    const { [lost]: _, ...finished } = whole;
    expect(bytesOfSet(folder)).toEqual(finished);
    await makePairsIn(folder);
    expect(bytesOfSet(folder)).toEqual(whole);
  });

  it("is refused by training, which says what is missing", async () => {
    const folder = await makePairSet();
    rmSync(join(folder, "pairs-00003.safetensors"));
    const run = temporaryFolder();
    const { code, err } = await tryTraining(
      run,
      ...RUNS.reflow,
      `--reflow.pairs=${folder}`,
      "--dataset.episodes=[0,1]",
    );
    expect(code).toBe(1);
    expect(err.trimEnd().split("\n").at(-1)).toBe(
      `--reflow.pairs: ${folder} is unfinished: 1 of its 5 shards are missing (first: ${folder}/pairs-00003.safetensors). Run the same \`reflow pairs\` command again; it continues where it was`,
    );
  });
});

describe("a folder that holds something else", () => {
  it("is refused with everything that differs, and replaced on request", async () => {
    const folder = await makePairSet();
    const before = bytesOfSet(folder);
    const other = [
      "--seed=2",
      "--num_noises_per_observation=3",
      "--dataset.episodes=[0]",
      "--reflow.teacher_solver=rk4",
      "--reflow.teacher_grid=data_dense",
      "--reflow.padded_dims=zero",
      "--policy.reflow_num_inference_steps=1",
      "--precision=bf16",
      "--frames_per_shard=10",
    ];
    const { code, err } = await tryPairs(...PAIRS, `--output=${folder}`, ...other);
    expect(code).toBe(1);
    expect(err).toContain(
      [
        `pairs: ${folder} holds another set. What differs (in the set; in this command):`,
        "  - --reflow.padded_dims: teacher; zero",
        "  - --policy.reflow_num_inference_steps: 2; 1",
        "  - --reflow.teacher_solver: euler; rk4",
        "  - --reflow.teacher_grid: uniform; data_dense",
        "  - --precision: fp32; bf16",
        "  - --seed: 1000; 2",
        "  - --num_noises_per_observation: 2; 3",
        "  - --frames_per_shard: 20; 10",
        "  - frames (--dataset.episodes): 82, 0 to 81; 44, 0 to 43",
        "  - tasks of the frames: 82, 0 to 1; 44, 0 to 0",
        "Give the settings that it was made with to continue it, --overwrite=true to replace it, or another --output\n",
      ].join("\n"),
    );
    expect(bytesOfSet(folder)).toEqual(before);
    await makePairsIn(folder, ...other, "--overwrite=true");
    expect(bytesOfSet(folder)).toEqual(bytesOfSet(await makePairSet(...other)));
  });

  it("is refused if shards lie there that no manifest describes, and cleared on request", async () => {
    const folder = await makePairSet();
    const whole = bytesOfSet(folder);
    rmSync(join(folder, "pairs.json"));
    const { code, err } = await tryPairs(...PAIRS, `--output=${folder}`);
    expect([code, err.trimEnd().split("\n").at(-1)]).toEqual([
      1,
      `pairs: ${folder} holds 5 shards, but no pairs.json that says what they are. Pass --overwrite=true to delete them, or another --output`,
    ]);
    writeFileSync(join(folder, "notes.txt"), "mine");
    await makePairsIn(folder, "--overwrite=true");
    expect(readFileSync(join(folder, "notes.txt"), "utf8")).toBe("mine");
    rmSync(join(folder, "notes.txt"));
    expect(bytesOfSet(folder)).toEqual(whole);
  });

  it("is refused while another process works in it; a killed one's is taken over", async () => {
    const folder = join(temporaryFolder(), "pairs");
    const { child, ended } = startPairs([...PAIRS, `--output=${folder}`, "--policy.reflow_num_inference_steps=50"]);
    while (!existsSync(join(folder, "pairs.json"))) await wait(5);
    child.kill("SIGSTOP");
    const flags = [...PAIRS, `--output=${folder}`, "--policy.reflow_num_inference_steps=50"];
    for (const more of [[], ["--overwrite=true"]]) {
      const { code, err } = await tryPairs(...flags, ...more);
      expect([code, err]).toEqual([
        1,
        `pairs: process ${child.pid} is already making pairs in ${folder}. Wait for it, or choose another --output. If that process is no \`reflow pairs\`, delete ${folder}/.lock\n`,
      ]);
    }
    child.kill("SIGKILL");
    await ended;
    await makePairsIn(folder, "--overwrite=true");
    expect(existsSync(join(folder, ".lock"))).toBe(false);
  });
});

describe("bad input", () => {
  it.each<[string, readonly string[], string | RegExp]>([
    [
      "no settings",
      [],
      "pairs: 3 problems\n" +
        "  - policy.path: expected the teacher's folder or Hub id, got nothing\n" +
        "  - output: expected the set's folder, got nothing\n" +
        "  - dataset: expected dataset.repo_id (a Hub id) or dataset.root (a folder), got neither\n",
    ],
    [
      "no noises",
      [...PAIRS, "--num_noises_per_observation=0"],
      /num_noises_per_observation: expected a number of at least 1, got 0/,
    ],
    ["a misspelt setting", [...PAIRS, "--num_noises=2"], /pairs at num_noises: unknown key/],
    [
      "a misspelt solver",
      [...PAIRS, "--reflow.teacher_solver=hein"],
      /expected one of .*, got "hein"\. Did you mean "heun"\?/,
    ],
    ["a setting of training", [...PAIRS, "--reflow.pair_uses=2"], /pairs at reflow\.pair_uses: unknown key/],
    [
      "an episode that there is not",
      [...PAIRS, "--dataset.episodes=[99]"],
      /expected episodes among the dataset's 10, .* got 99/,
    ],
    ["no teacher there", [...PAIRS, "--policy.path=/nowhere/at-all"], /\/nowhere\/at-all/],
    ["no dataset there", [...PAIRS, "--dataset.root=/nowhere"], /\/nowhere: expected a LeRobot dataset folder/],
  ])("is refused: %s", async (_, flags, message) => {
    const output = flags.length === 0 ? [] : [`--output=${join(temporaryFolder(), "pairs")}`];
    const { code, err } = await tryPairs(...flags, ...output);
    expect(code).toBe(1);
    if (typeof message === "string") expect(err).toBe(message);
    else expect(err).toMatch(message);
    expect(err).not.toMatch(/internal:|\n {4}at /);
  });

  it("is refused: an output that is a file, and a damaged manifest", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    expect((await tryPairs(...PAIRS, `--output=${file}`)).err).toMatch(/^pairs: .*file cannot be made \(EEXIST/);
    const folder = await makePairSet();
    writeFileSync(join(folder, "pairs.json"), '{"format":1}');
    expect((await tryPairs(...PAIRS, `--output=${folder}`)).err).toMatch(/pairs\.json: \d+ problems\n.*expected/);
  });

  it("in a finished shard is named when the set is read", async () => {
    const folder = await makePairSet();
    const shard = join(folder, "pairs-00001.safetensors");
    writeFileSync(shard, readFileSync(shard).subarray(0, 5000));
    const { code, err } = await tryPairs(...PAIRS, `--output=${folder}`);
    expect(code).toBe(1);
    expect(err).toContain(`${shard}: `);
    expect(err).toContain("The file is truncated");
  });
});

it("leaves no tensors behind, and the teacher as it was", async () => {
  const before = await weightsOf(TEACHER);
  await makePairSet();
  const alive = numLiveTensors();
  await makePairSet();
  expect(numLiveTensors()).toBeLessThanOrEqual(alive); // fewer if the garbage collector ran meanwhile
  expect(await weightsOf(TEACHER)).toEqual(before);
});

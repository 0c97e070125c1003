/** A dataset of the built-in world, a policy trained on it, and that policy in closed loop. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { command as evaluate } from "../../src/cli/commands/eval.js";
import { command as makeDataset } from "../../src/cli/commands/make-dataset.js";
import { readDatasetSettings } from "../../src/cli/dataset-settings.js";
import { createNodeAvBackend, LeRobotDataset } from "../../src/data/index.js";
import { makeDemonstration, makeEnvironment } from "../../src/env/index.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { RolloutThreads } from "../../src/rollout/index.js";
import { HubError } from "../../src/support/errors.js";
import { numThreads, setNumThreads } from "../../src/torch/index.js";
import { runCommand } from "../commands/run-command.js";
import { BASE_VLM, TEACHER, temporaryFolder, trainIn } from "./training-run.js";

const folder = mkdtempSync(join(tmpdir(), "reflow-eval-"));
const dataset = join(folder, "dataset");
const run = join(folder, "run");

beforeAll(async () => {
  const { code, err } = await runCommand(makeDataset, ["--env.type=avoiding", "--episodes=3", `--output=${dataset}`]);
  expect([code, err]).toEqual([0, ""]);
  await trainIn(
    run,
    `--dataset.root=${dataset}`,
    "--policy.type=smolvla",
    `--policy.vlm_model_name=${BASE_VLM}`,
    "--policy.load_vlm_weights=true",
    "--policy.chunk_size=8",
    "--policy.n_action_steps=4",
    "--policy.max_state_dim=4",
    "--policy.max_action_dim=2",
    "--policy.num_vlm_layers=2",
    "--policy.resize_imgs_with_padding=[64,64]",
    "--policy.tokenizer_max_length=24",
    "--policy.device=cpu",
    "--batch_size=4",
    "--num_workers=0",
    "--eval_freq=0",
    "--steps=2",
  );
});

afterAll(() => rmSync(folder, { recursive: true }));

const info = (file: string) => JSON.parse(readFileSync(file, "utf8"));
const EVAL = ["--env.type=avoiding", "--policy.device=cpu", "--policy.num_steps=1", "--latency_calls=3"];
const SHORT = [...EVAL, "--latency_calls=0", "--env.max_steps=5"];

describe("reflow make-dataset", () => {
  it("goes to a folder of its world's name unless another is given", async () => {
    expect(await readDatasetSettings(["--env.type=avoiding"])).toMatchObject({ root: "outputs/datasets/avoiding" });
    expect(await readDatasetSettings(["--env.type=avoiding", "--output=x"])).toMatchObject({ root: "x" });
  });

  it("records the demonstrations of its seeds: states and actions as they were, one task", async () => {
    await using recorded = await LeRobotDataset.open({ root: dataset });
    expect([recorded.metadata.fps, recorded.metadata.tasks.length, recorded.numEpisodes]).toEqual([29, 1, 3]);
    let index = 0;
    for (const seed of [0, 1, 2]) {
      const { observations, actions } = makeDemonstration("avoiding", seed);
      for (const [step, action] of actions.entries()) {
        const { arrays } = await recorded.item(index++);
        expect(arrays.action!.data).toEqual(action);
        expect(arrays["observation.state"]!.data).toEqual(observations[step]!.state.data);
      }
    }
    expect(index).toBe(recorded.numFrames);
  });

  it.each([
    [["--env.type=pusht", "--output=x"], 'expected type to be one of avoiding, got "pusht"'],
    [["--env.type=avoiding", "--env.image_size=3", "--output=x"], "env avoiding at imageSize"],
    [["--env.type=avoiding", '--output=""'], "dataset settings at output"],
    [
      ["--env.type=avoiding", "--env.camera=top", "--output=x"],
      'env avoiding at camera: expected a camera\'s name, such as observation.images.front, got "top"',
    ],
    [
      ["--env.type=avoiding", "--seed=9007199254740990", "--episodes=3", "--output=x"],
      "dataset settings at seed: expected one that leaves room for 3 seeds below 2^53, got 9007199254740990",
    ],
    [["--env.type=avoiding", `--output=${TEACHER}`], "expected"],
  ])("refuses %j", async (flags, message) => {
    const { code, err } = await runCommand(makeDataset, flags);
    expect(code).toBe(1);
    expect(err).toContain(message);
  });
});

describe("reflow eval", () => {
  it("writes LeRobot's eval_info.json and says what it saw; the same again, whatever the batch size", async () => {
    const file = join(temporaryFolder(), "eval.json");
    const flags = [...EVAL, `--policy.path=${run}`, "--eval.n_episodes=3", "--env.max_steps=20"];
    const { code, out } = await runCommand(evaluate, [...flags, "--eval.batch_size=2", `--output_file=${file}`]);
    expect(code).toBe(0);
    expect(out).toMatch(/episodes +3\n/);
    const first = info(file);
    expect(first.overall).toMatchObject({ n_episodes: 3, pc_success: expect.any(Number), eval_s: expect.any(Number) });
    expect(first.per_group.avoiding.n_episodes).toBe(3);
    expect(first.per_task[0].metrics.successes).toHaveLength(3);
    expect(first.reflow).toMatchObject({
      status: "complete",
      settings: {
        ...{ environment: "avoiding-ts/1", numSteps: 1, numActionSteps: 4, seed: 1000 },
        environmentOptions: { maxSteps: 20 },
      },
      latency: { total: { numCalls: 3 } },
    });
    const again = join(temporaryFolder(), "again.json");
    await runCommand(evaluate, [...flags, "--eval.batch_size=3", `--output_file=${again}`]);
    expect(info(again).reflow.episodes).toEqual(first.reflow.episodes);
  });

  it("gives the same episodes on several threads, also on more than there are episodes", async () => {
    const episodesOf = async (numWorkers: number) => {
      const file = join(temporaryFolder(), "eval.json");
      const flags = [...SHORT, `--policy.path=${run}`, "--eval.n_episodes=4", "--eval.batch_size=2"];
      const { code } = await runCommand(evaluate, [
        ...[...flags, `--eval.num_workers=${numWorkers}`, `--output_file=${file}`],
      ]);
      expect(code).toBe(0);
      return info(file).reflow.episodes as { readonly seed: number; readonly actions: unknown }[];
    };
    const alone = await episodesOf(1);
    expect(alone.map(({ seed }) => seed)).toEqual([1000, 1001, 1002, 1003]);
    for (const numWorkers of [3, 5]) expect(await episodesOf(numWorkers)).toEqual(alone);
  });

  it("ends with the error of whichever thread has one", async () => {
    setNumThreads(2);
    const policy = await SmolVLAPolicy.load(join(run, "checkpoints", "last", "pretrained_model"), { device: "cpu" });
    onTestFinished(() => {
      setNumThreads(1);
      policy.dispose();
    });
    const place = { folder: join(folder, "nothing"), device: "cpu", precision: "fp32" as const };
    const environment = { type: "avoiding", options: { maxSteps: 3 } };
    await using threads = new RolloutThreads({ policy: place, environment }, 1);
    const makeOne = () => makeEnvironment("avoiding", environment.options);
    const request = { policy, makeEnvironment: makeOne, numEpisodes: 3, batchSize: 1, seed: 0, numSteps: 1 };
    const episodes = threads.rollOut(request);
    expect((await episodes.next()).value).toMatchObject({ index: 0, length: 3 });
    await expect(episodes.next()).rejects.toThrow(HubError);
    expect(numThreads()).toBe(2);
    await threads[Symbol.asyncDispose]();
    const later = threads.rollOut(request);
    expect((await later.next()).value).toMatchObject({ index: 0 });
    await expect(later.next()).rejects.toThrow("a thread that drives episodes has ended");
  });

  it("says that the variety of ways is undefined where nothing succeeded", async () => {
    const flags = [...EVAL, `--policy.path=${run}`, "--eval.n_episodes=1", "--env.max_steps=2"];
    const output = temporaryFolder();
    const { code, out } = await runCommand(evaluate, [...flags, `--output_dir=${output}`]);
    expect(code).toBe(0);
    const { reflow, overall } = info(join(output, "eval_info.json"));
    expect([reflow.status, reflow.summary.entropy, overall.pc_success]).toEqual(["complete", { numCounted: 0 }, 0]);
    expect(out).toMatch(/success +0\.0 % \(95 %: 0\.0 % to /);
    expect(out).toContain("undefined: no episode succeeded");
  });

  it("warns of a policy that has lost its statistics, and says what it saw of it all the same", async () => {
    const broken = temporaryFolder();
    cpSync(join(run, "checkpoints", "last", "pretrained_model"), broken, { recursive: true, dereference: true });
    const processors = join(broken, "policy_postprocessor.json");
    writeFileSync(processors, readFileSync(processors, "utf8").replace(/,\s*"state_file": "[^"]*"/, ""));
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    onTestFinished(() => stderr.mockRestore());
    const flags = [...EVAL, `--policy.path=${broken}`, "--eval.n_episodes=1", "--env.max_steps=1", "--latency_calls=0"];
    const { code } = await runCommand(evaluate, [...flags, `--output_dir=${temporaryFolder()}`]);
    expect(code).toBe(0);
    expect(stderr.mock.calls.join("\n")).toContain(
      "warning: the policy has no statistics for action: they pass un-normalised, so that its actions may not be in the robot's units",
    );
  });

  const videosOf = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".mp4"))
      .sort();

  it("writes videos of the first episodes where LeRobot puts them, of the size and number that were asked for", async () => {
    const output = temporaryFolder();
    const flags = [...SHORT, `--policy.path=${run}`, "--eval.n_episodes=3", `--output_dir=${output}`];
    const { out } = await runCommand(evaluate, [...flags, "--eval.max_episodes_rendered=2", "--eval.video_size=64"]);
    const videos = [0, 1].map((i) => join(output, "videos", "avoiding_0", `eval_episode_${i}.mp4`));
    expect(videosOf(output)).toEqual(videos.map((video) => video.slice(output.length + 1)));
    const { per_task, per_group, overall } = info(join(output, "eval_info.json"));
    for (const place of [per_task[0].metrics, per_group.avoiding, overall]) expect(place.video_paths).toEqual(videos);
    expect(out).toContain(join(output, "videos"));
    const file = (await createNodeAvBackend()).open(videos[1]!);
    expect(file.nearestFrame(0).image.shape).toEqual([3, 64, 64]);
    file.close();
  });

  it("writes ten videos beside a named file, none if none are asked for", async () => {
    const output = temporaryFolder();
    const flags = [...SHORT, `--policy.path=${run}`, "--eval.n_episodes=11", "--env.max_steps=1"];
    await runCommand(evaluate, [...flags, `--output_file=${join(output, "one.json")}`]);
    expect(videosOf(output)).toEqual(
      Array.from({ length: 10 }, (_, i) => `one_videos/avoiding_0/eval_episode_${i}.mp4`),
    );
    const none = temporaryFolder();
    const { out } = await runCommand(evaluate, [
      ...flags,
      `--output_file=${join(none, "none.json")}`,
      "--eval.max_episodes_rendered=0",
    ]);
    expect(readdirSync(none)).toEqual(["none.json"]);
    expect(info(join(none, "none.json")).overall.video_paths).toEqual([]);
    expect(out).not.toContain("videos");
  });

  it("replaces a partial evaluation, and a complete one or any other file only if told to", async () => {
    const file = join(temporaryFolder(), "eval_info.json");
    const flags = [...SHORT, `--policy.path=${run}`, "--eval.n_episodes=1", "--eval.max_episodes_rendered=0"];
    const evaluateTo = (...more: string[]) => runCommand(evaluate, [...flags, `--output_file=${file}`, ...more]);
    for (const kept of ['{"reflow": {"status": "complete"}}', '{"overall": {}}', "no JSON"]) {
      writeFileSync(file, kept);
      const { code, err } = await evaluateTo();
      expect(code).toBe(1);
      expect(err).toContain(`expected a place without a complete evaluation or another file, got ${file}`);
      expect(err).toContain("or give --overwrite=true");
      expect(readFileSync(file, "utf8")).toBe(kept);
    }
    expect((await evaluateTo("--overwrite=true")).code).toBe(0);
    expect(info(file).overall.n_episodes).toBe(1);
    writeFileSync(file, '{"reflow": {"status": "partial"}}');
    expect((await evaluateTo()).code).toBe(0);
    expect(info(file).reflow.status).toBe("complete");
  });

  /** An evaluation in a process of its own that gets a signal once its file knows of episodes. */
  async function evaluateUntil(
    signal: NodeJS.Signals,
    file: string,
    numWorkers: number,
  ): Promise<{ code: number | null; out: string }> {
    const flags = [...EVAL, `--policy.path=${run}`, "--eval.n_episodes=100000", "--eval.max_episodes_rendered=1"];
    const sideBySide = ["--eval.batch_size=10", `--eval.num_workers=${numWorkers}`];
    const args = ["dist/cli/main.js", "eval", ...flags, ...sideBySide, `--output_file=${file}`];
    const child = spawn(process.execPath, args, { env: { ...process.env, OMP_NUM_THREADS: "1" } });
    onTestFinished(() => void child.kill("SIGKILL"));
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    const ended = new Promise<number | null>((done) => child.on("close", done));
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    while (!isOver && !(existsSync(file) && info(file).overall.n_episodes > 0)) await sleep(20);
    child.kill(signal);
    return { code: await ended, out };
  }

  it.each([
    ["SIGKILL", 1, null],
    ["SIGINT", 1, 130],
    ["SIGINT", 2, 130],
  ] as const)(
    "keeps what is known on %s on %i threads, marked as partial",
    async (signal, numWorkers, expectedCode) => {
      const file = join(temporaryFolder(), "eval_info.json");
      const { code, out } = await evaluateUntil(signal, file, numWorkers);
      expect(code).toBe(expectedCode);
      const { reflow, overall } = info(file);
      expect(reflow.status).toBe("partial");
      expect(overall.n_episodes).toBeGreaterThan(0);
      expect(overall.n_episodes).toBeLessThan(100_000);
      expect(reflow.episodes.map(({ seed }: { seed: number }) => seed)).toEqual(
        Array.from({ length: overall.n_episodes }, (_, i) => 1000 + i),
      );
      expect(reflow.summary.numEpisodes).toBe(overall.n_episodes);
      expect(overall.video_paths).toHaveLength(1);
      for (const video of overall.video_paths) expect(existsSync(video)).toBe(true);
      if (signal === "SIGINT") expect(out).toContain(`${overall.n_episodes} of 100000: interrupted`);
    },
  );

  it("refuses more actions than the policy's chunk has, and writes nothing", async () => {
    const output = temporaryFolder();
    const flags = [...SHORT, `--policy.path=${run}`, "--policy.n_action_steps=9", `--output_dir=${output}`];
    const { code, err } = await runCommand(evaluate, flags);
    expect(code).toBe(1);
    expect(err).toContain(
      "evaluation settings at policy.n_action_steps: expected at most 8, the policy's chunk_size, got 9",
    );
    expect(readdirSync(output)).toEqual([]);
  });

  it("names the place that cannot be written, before the policy is loaded", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a-file"), "");
    mkdirSync(join(folder, "a-folder.json"));
    const evaluateTo = (...flags: string[]) => runCommand(evaluate, [...SHORT, "--policy.path=/nowhere", ...flags]);
    const { code, err } = await evaluateTo(`--output_dir=${join(folder, "a-file")}`);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/evaluation: expected .*a-file\/eval_info\.json to be a place for a file, got an error/),
    ]);
    expect((await evaluateTo(`--output_file=${join(folder, "a-folder.json")}`)).err).toContain("or another file, got");
    expect((await evaluateTo(`--output_dir=${folder}`)).err).not.toContain("a place for a file");
  });

  it.each([
    [["--env.type=pusht"], 'expected type to be one of avoiding, got "pusht"'],
    [["--env.type=avoidign"], 'got "avoidign". Did you mean "avoiding"?'],
    [["--env.type=avoiding"], "cameras: the policy looks at observation.images."],
    [["--env.type=avoiding"], "the world has observation.images.top"],
    [["--env.type=avoiding"], "observation.state: the policy has 3 entries, the world 4 (commanded_x, "],
    [["--env.type=avoiding"], "action: the policy has 3 entries, the world 2 (delta_x, delta_y)"],
    [["--env.type=avoiding", "--policy.num_steps=0"], "evaluation settings at policy.num_steps: expected a number of"],
    [["--env.type=avoiding", "--policy.n_action_steps=0"], "at policy.n_action_steps: expected a number of at least 1"],
    [["--env.type=avoiding", "--seed=-1"], "evaluation settings at seed: expected a number of at least 0, got -1"],
    [["--env.type=avoiding", "--seed=1.5"], "evaluation settings at seed: expected"],
    [["--env.type=avoiding", "--seed=9007199254740990"], "at seed: expected one that leaves room for 50 seeds below"],
    [["--env.type=avoiding", "--eval.video_size=63"], "at eval.video_size: expected an even number, got 63"],
    [["--env.type=avoiding", "--eval.max_episodes_rendered=-1"], "at eval.max_episodes_rendered: expected a number of"],
    [
      ["--env.type=avoiding", "--eval.n_episodes=0"],
      "evaluation settings at eval.n_episodes: expected a number of at least 1, got 0",
    ],
    [["--env.type=avoiding", "--env.speed=2"], "env avoiding at speed: unknown key"],
  ])("refuses %j for a policy of another robot", async (flags, message) => {
    const output = temporaryFolder();
    const { code, err } = await runCommand(evaluate, [`--policy.path=${TEACHER}`, ...flags, `--output_dir=${output}`]);
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(existsSync(join(output, "eval_info.json"))).toBe(false);
  });
});

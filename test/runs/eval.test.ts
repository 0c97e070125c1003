/** A dataset of the built-in world, a policy trained on it, and that policy in closed loop. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command as evaluate } from "../../src/cli/commands/eval.js";
import { command as makeDataset } from "../../src/cli/commands/make-dataset.js";
import { LeRobotDataset } from "../../src/data/index.js";
import { makeDemonstration } from "../../src/env/index.js";
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

describe("reflow make-dataset", () => {
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
    [["--env.type=avoiding"], "dataset settings at output"],
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
      settings: { environment: "avoiding-ts/1", numSteps: 1, numActionSteps: 4, seed: 1000 },
      latency: { total: { numCalls: 3 } },
    });
    const again = join(temporaryFolder(), "again.json");
    await runCommand(evaluate, [...flags, "--eval.batch_size=3", `--output_file=${again}`]);
    expect(info(again).reflow.episodes).toEqual(first.reflow.episodes);
  });

  it("says that the variety of ways is undefined where nothing succeeded", async () => {
    const flags = [...EVAL, `--policy.path=${run}`, "--eval.n_episodes=1", "--env.max_steps=2"];
    const { code, out } = await runCommand(evaluate, [...flags, `--output_dir=${temporaryFolder()}`]);
    expect(code).toBe(0);
    expect(out).toMatch(/success +0\.0 % \(95 %: 0\.0 % to /);
    expect(out).toContain("undefined: no episode succeeded");
  });

  it.each([
    [["--env.type=pusht"], 'expected type to be one of avoiding, got "pusht"'],
    [["--env.type=avoiding"], "observation.state: the policy has"],
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

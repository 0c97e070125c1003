import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  changedNames,
  RUNS,
  resultOf,
  temporaryFolder,
  train,
  trainedWeights,
  trainIn,
  tryTraining,
} from "./training-run.js";

describe("a seed", () => {
  it("gives the same weights and moments, bit by bit, with any number of workers; another seed gives others", async () => {
    const reference = resultOf(await train(...RUNS.reflow, "--steps=4"));
    for (const workers of [0, 1, 3]) {
      const again = resultOf(await train(...RUNS.reflow, "--steps=4", `--num_workers=${workers}`));
      expect(again.equals(reference), `${workers} workers`).toBe(true);
    }
    const other = resultOf(await train(...RUNS.reflow, "--steps=4", "--seed=7"));
    expect(other.equals(reference)).toBe(false);
  });

  it("that is left open is drawn anew for each run, and kept for its continuation", async () => {
    const flags = [...RUNS.reflow, "--seed=null", "--steps=2", "--save_freq=1"];
    const [a, b] = [await train(...flags), await train(...flags)];
    expect(resultOf(a).equals(resultOf(b))).toBe(false);
    const continued = temporaryFolder();
    const first = join(a, "checkpoints/000001/pretrained_model/train_config.json");
    await trainIn(continued, "--resume=true", `--config_path=${first}`);
    expect(resultOf(continued).equals(resultOf(a))).toBe(true);
  });
});

describe.each(Object.entries(RUNS))("%s, continued", (_, flags) => {
  // A schedule as long as the shorter run is not stretched over the longer one.
  const schedule = ["--policy.scheduler_decay_steps=2", "--policy.scheduler_decay_lr=5e-4", "--save_freq=2"];

  it("has the weights and moments of an unbroken run, bit by bit, in both forms of --resume", async () => {
    const unbroken = await train(...flags, ...schedule, "--steps=4");

    const extended = await train(...flags, ...schedule, "--steps=2");
    const log = await trainIn(extended, "--resume=true", "--steps=4");
    expect(log).toContain("continuing after step 2");
    expect(log).not.toContain("step:2 ");
    expect(log).not.toContain("step-0 gate");
    expect(resultOf(extended).equals(resultOf(unbroken))).toBe(true);

    const elsewhere = temporaryFolder();
    const config = join(unbroken, "checkpoints/000002/pretrained_model/train_config.json");
    await trainIn(elsewhere, "--resume=true", `--config_path=${config}`);
    expect(resultOf(elsewhere).equals(resultOf(unbroken))).toBe(true);
  });
});

describe("--resume", () => {
  it("keeps the settings of the run, also those that LeRobot's file cannot hold", async () => {
    const special = ["--reflow.padded_dims=mask", "--reflow.time.law=u_shaped", "--reflow.time.share_at_atoms=0.5"];
    const run = await train(...RUNS.reflow, ...special, "--steps=1");
    await trainIn(run, "--resume=true", "--steps=2");
    const saved = readFileSync(join(run, "checkpoints/last/training_state/reflow_train_config.json"), "utf8");
    expect(JSON.parse(saved)).toMatchObject({
      steps: 2,
      reflow: { padded_dims: "mask", time: { law: "u_shaped", share_at_atoms: 0.5 } },
      policy: { use_reflow: true, reflow_num_inference_steps: 2 },
    });
  });

  it("says so where nothing is left to do", async () => {
    const run = await train(...RUNS.reflow, "--steps=1");
    expect(await trainIn(run, "--resume=true")).toContain(
      "the run has all of its 1 steps. Give more with --steps to train it further",
    );
  });

  it("may train more parts than before, whose moments begin at 0, and says so", async () => {
    const run = await train(...RUNS["flow matching"], "--policy.train_state_proj=false", "--steps=1");
    const before = await trainedWeights(run);
    const log = await trainIn(run, "--resume=true", "--steps=2", "--policy.train_state_proj=true");
    expect(log).toContain(
      "the checkpoint has no moments for 2 trained tensors (first: model.state_proj.weight), which had no gradient so far: they begin at 0",
    );
    expect(changedNames(before, await trainedWeights(run))).toContain("model.state_proj.weight");
  });

  it("is refused after another teacher than the run began with", async () => {
    const run = await train(...RUNS.reflow, "--steps=1");
    const { code, err } = await tryTraining(
      run,
      "--resume=true",
      "--steps=2",
      `--policy.teacher_model_path=${join(run, "checkpoints/last/pretrained_model")}`,
    );
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /^--resume: expected the teacher that .* was trained after, got one with other weights in /,
      ),
    ]);
  });

  it("is refused where there is no checkpoint, or no training state in it", async () => {
    const nowhere = await tryTraining(temporaryFolder(), "--resume=true");
    expect([nowhere.code, nowhere.err]).toEqual([
      1,
      expect.stringMatching(
        /^--resume: expected a checkpoint at .*checkpoints\/last, got none\. A run writes its first after save_freq steps\n$/,
      ),
    ]);

    const run = await train(...RUNS["flow matching"], "--steps=1");
    const bare = temporaryFolder();
    cpSync(join(run, "checkpoints/000001/pretrained_model"), join(bare, "checkpoints/last/pretrained_model"), {
      recursive: true,
    });
    const stateless = await tryTraining(bare, "--resume=true");
    expect(stateless.err).toMatch(
      /holds no training_state\/\. Expected a checkpoint with pretrained_model\/ and training_state\/\n$/,
    );
  });
});

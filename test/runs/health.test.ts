/** What the health watch does in runs that go wrong, and in runs that do not. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointOf, continueFrom, differingFiles, metricOf, policyWeights, recordsOf } from "./run-results.js";
import {
  changedNames,
  lastCheckpoint,
  RUNS,
  startProcess,
  TEACHER,
  temporaryFolder,
  train,
  trainIn,
  tryTraining,
  weightsOf,
} from "./training-run.js";

/** A rate that stays what it is. */
const rate = (peak: number): string[] => [`--policy.optimizer_lr=${peak}`, `--policy.scheduler_decay_lr=${peak}`];

/** Measured every fourth step, which shows drift. */
const MEASURED = [
  "--eval_freq=4",
  "--held_out.num_observations=2",
  "--held_out.num_noises=2",
  "--held_out.reference_steps=4",
];
/** A rate that spoils the policy within four steps; half of it does not. */
const TOO_LARGE = [...RUNS.reflow, ...MEASURED, ...rate(0.005), "--save_freq=2", "--log_freq=1"];
const HALF = [...TOO_LARGE, ...rate(0.0025)];
const DESTRUCTIVE = [...RUNS.reflow, ...rate(0.3), "--save_freq=1"];
const WITHOUT_NUMBERS = [...RUNS.reflow, ...rate(1e10), "--save_freq=1", "--steps=3"];

const checkpointsOf = (run: string): string[] => {
  const folder = join(run, "checkpoints");
  return existsSync(folder) ? readdirSync(folder).sort() : [];
};
const warningsOf = async (run: string): Promise<string[]> =>
  (await recordsOf(run, "warning", { keepSuperseded: true })).map(({ message }) => message);
const guardOf = (run: string): unknown => JSON.parse(readFileSync(join(run, "reflow_health.json"), "utf8"));
const endOf = async (run: string) => (await recordsOf(run, "end")).at(-1);

const GONE_BACK = /^health at step 4: .*\. Going back to step 0 with 0\.5 times the learning rate that was set$/;

describe("a good run", () => {
  it.each(["warn", "stop", "backoff"])("hears nothing, and is the run without a watch: %s", async (mode) => {
    const flags = [...RUNS.reflow, ...MEASURED, ...rate(1e-4), "--steps=25"];
    const folder = temporaryFolder();
    const log = await trainIn(folder, ...flags, `--health=${mode}`);
    expect(log).not.toMatch(/WARNING|health/);
    expect(await warningsOf(folder)).toEqual([]);
    expect(existsSync(join(folder, "reflow_health.json"))).toBe(false);
    expect(differingFiles(folder, await train(...flags, "--health=off"))).toEqual([]);
  });
});

describe("--health=warn", () => {
  it("tells and records what is wrong, and goes on to the end", async () => {
    const folder = temporaryFolder();
    const log = await trainIn(folder, ...DESTRUCTIVE, "--steps=3");
    const message =
      "health at step 1: one update changed the trained weights by 480 % of their size (good runs: 0.01 to 2 %). " +
      "Lower optimizer_lr from 0.3 to about 0.0003";
    expect(log).toContain(`${message}\n`);
    expect(await recordsOf(folder, "warning")).toMatchObject([{ step: 1, message }]);
    expect(await endOf(folder)).toMatchObject({ step: 3, reason: "completed" });
    expect(checkpointsOf(folder)).toEqual(["000001", "000002", "000003", "last"]);
  });

  it("tells of a rate that is too small to do anything", async () => {
    const folder = temporaryFolder();
    await trainIn(folder, ...RUNS.reflow, ...rate(1e-9), "--steps=22", "--health=stop");
    expect(await warningsOf(folder)).toEqual([
      expect.stringMatching(
        /^health at step 21: at a learning rate of \S+, \d+ % of the trained weights do not change at all: .* Raise optimizer_lr from 1e-9 to about 0\.0001$/,
      ),
    ]);
  });

  it("tells of numbers that are none before the run ends by them; the checkpoints before are kept", async () => {
    const folder = temporaryFolder();
    const { code, err } = await tryTraining(folder, ...WITHOUT_NUMBERS);
    expect(err).toMatch(
      /train: expected a finite loss at step 2, got .*\. The update was not made and earlier checkpoints are good\. .*\n$/,
    );
    expect(code).toBe(1);
    expect(await warningsOf(folder)).toEqual([
      expect.stringMatching(/^health at step 1: one update changed/),
      expect.stringMatching(/^health at step 2: expected finite numbers, got loss NaN, gradNorm NaN\. /),
    ]);
    expect(await endOf(folder)).toMatchObject({ reason: "failed", message: expect.stringContaining("at step 2") });
    expect(checkpointsOf(folder)).toEqual(["000001", "last"]);
  });
});

describe("--health=off", () => {
  it("tells nothing of the same", async () => {
    const folder = temporaryFolder();
    expect(await trainIn(folder, ...DESTRUCTIVE, "--steps=2", "--health=off")).not.toMatch(/WARNING|health/);
    expect(await warningsOf(folder)).toEqual([]);
  });

  it("can be switched on when the run is continued", async () => {
    const run = await train(...RUNS.reflow, ...rate(1e-4), "--steps=4", "--save_freq=2", "--health=off");
    for (const mode of ["warn", "stop", "backoff"]) {
      expect(differingFiles(await continueFrom(run, 2, `--health=${mode}`), run)).toEqual([]);
    }
  });
});

describe("--health=stop", () => {
  it("ends the run before anything of it is saved, and says that no checkpoint is good", async () => {
    const folder = temporaryFolder();
    const { code, err } = await tryTraining(folder, ...DESTRUCTIVE, "--steps=3", "--health=stop");
    expect(err).toMatch(
      /health at step 1: one update changed the trained weights by 480 % .* to about 0\.0003\. The run was ended\. There is no checkpoint from before it\n$/,
    );
    expect(code).toBe(1);
    expect(checkpointsOf(folder)).toEqual([]);
    expect(await endOf(folder)).toMatchObject({ step: 1, reason: "failed" });
  });

  it("names the last checkpoint from before", async () => {
    const run = await train(...RUNS.reflow, ...rate(1e-4), "--steps=10", "--save_freq=5");
    const { code, err } = await tryTraining(
      run,
      "--resume=true",
      "--steps=14",
      "--health=stop",
      "--save_freq=1",
      "--optimizer.lr=0.1",
    );
    expect(err).toMatch(
      /health at step 11: one update changed .*\. The run was ended\. The last good checkpoint is (.*)\n$/,
    );
    expect(err).toContain(`The last good checkpoint is ${checkpointOf(run, 10)}\n`);
    expect(code).toBe(1);
    expect(checkpointsOf(run)).toEqual(["000005", "000010", "last"]);
  });
});

describe("--health=backoff", () => {
  it("goes back to the start with half the rate, and is then the run with that rate, bit by bit", async () => {
    const folder = temporaryFolder();
    const log = await trainIn(folder, ...TOO_LARGE, "--steps=12", "--health=backoff");
    expect(log.match(/Going back/g)).toHaveLength(1);
    const half = await train(...HALF, "--steps=12");
    expect(differingFiles(folder, half)).toEqual([]);
    for (const file of ["optimizer_param_groups.json", "scheduler_state.json"]) {
      const state = (run: string): string => readFileSync(join(lastCheckpoint(run), "training_state", file), "utf8");
      expect(state(folder)).toBe(state(half)); // which LeRobot would continue with
    }
    expect(guardOf(folder)).toEqual({ version: 1, numBackoffs: 1 });

    const rates = await metricOf(folder, "lr");
    expect(rates).toEqual(await metricOf(await train(...HALF, "--steps=12", "--save_checkpoint=false"), "lr"));
    expect(rates[0]).toBeCloseTo(0.0025, 10);
    const starts = await recordsOf(folder, "run-start", { keepSuperseded: true });
    expect(starts.map(({ step }) => step)).toEqual([0, 0]);
    expect(await recordsOf(folder, "run-start")).toHaveLength(1);
    expect((await recordsOf(folder, "step")).map(({ step }) => step)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    const [first] = await recordsOf(folder, "step", { keepSuperseded: true });
    expect(first!.metrics["train/lr"]).toBeCloseTo(0.005, 10);
    expect(await warningsOf(folder)).toContainEqual(expect.stringMatching(GONE_BACK));
    expect((await recordsOf(folder, "warning"))[0]).toMatchObject({
      step: 0,
      message: expect.stringMatching(GONE_BACK),
    });
  });

  it("goes back to a checkpoint in its middle, and is then that checkpoint continued with half the rate", async () => {
    const start = [...RUNS.reflow, ...rate(1e-4), "--steps=10", "--save_freq=5"];
    const run = await train(...start);
    const half = await continueFrom(run, 10, "--steps=14", "--optimizer.lr=0.05", "--health=off");
    const log = await trainIn(run, "--resume=true", "--steps=14", "--optimizer.lr=0.1", "--health=backoff");
    expect(log.match(/Going back to step (\d+)/g)).toEqual(["Going back to step 10"]);
    expect(differingFiles(run, half)).toEqual([]);
    expect(checkpointsOf(run)).toEqual(["000005", "000010", "000014", "last"]);
  });

  it("remembers in a run that is continued, here or elsewhere, watched or not, that the rate was halved", async () => {
    const flags = [...TOO_LARGE, "--health=backoff"];
    const unbroken = await train(...flags, "--steps=12");
    const run = await train(...flags, "--steps=8");
    for (const more of [[], ["--health=off"]]) {
      const elsewhere = await continueFrom(run, 8, "--steps=12", ...more);
      expect(differingFiles(elsewhere, unbroken)).toEqual([]);
      expect(guardOf(elsewhere)).toEqual({ version: 1, numBackoffs: 1 });
    }
    expect(await trainIn(run, "--resume=true", "--steps=12")).not.toContain("Going back");
    expect(differingFiles(run, unbroken)).toEqual([]);
    expect((await metricOf(run, "lr")).slice(-4)).toEqual((await metricOf(unbroken, "lr")).slice(-4));
  });

  it("deletes the checkpoints after the one it goes back to, and goes on with half the rate after it was killed", async () => {
    const flags = [...TOO_LARGE, ...rate(0.004), "--steps=12", "--health=backoff"]; // found at step 8
    const unbroken = await train(...flags);
    const folder = temporaryFolder();
    const { child, ended, logged } = startProcess(folder, flags);
    await logged("Going back to step 0");
    child.kill("SIGKILL");
    expect((await ended).code).toBe(null);
    const written = await recordsOf(folder, "checkpoint", { keepSuperseded: true });
    expect(written.map(({ step }) => step).slice(0, 4)).toEqual([0, 2, 4, 6]);
    expect(checkpointsOf(folder)).not.toContain("000006");
    expect(checkpointsOf(folder)).toContain(readlinkSync(join(folder, "checkpoints/last")));
    expect(guardOf(folder)).toEqual({ version: 1, numBackoffs: 1 });
    expect(await trainIn(folder, "--resume=true")).not.toContain("Going back");
    expect(differingFiles(folder, unbroken)).toEqual([]);
  });

  it("begins anew with the full rate in a run that replaces one", async () => {
    const flags = [...TOO_LARGE, "--steps=5", "--health=backoff"];
    const folder = await train(...flags);
    expect(guardOf(folder)).toEqual({ version: 1, numBackoffs: 1 });
    expect(await trainIn(folder, ...flags, "--overwrite=true")).toMatch(GONE_BACK_LINE);
    expect(guardOf(folder)).toEqual({ version: 1, numBackoffs: 1 });
  });

  it("ends after three times in vain, with the untouched policy as its last checkpoint", async () => {
    for (const flags of [[...DESTRUCTIVE, "--steps=3"], WITHOUT_NUMBERS]) {
      const folder = temporaryFolder();
      const { code, err } = await tryTraining(folder, ...flags, "--health=backoff");
      expect(err.match(/Going back to step 0 with 0\.\d+ times/g)?.map((text) => text.split(" ").at(-2))).toEqual([
        "0.5",
        "0.25",
        "0.125",
      ]);
      expect(err).toMatch(
        / The learning rate was halved 3 times already\. The run was ended\. The last good checkpoint is (.*)\n$/,
      );
      expect(code).toBe(1);
      expect(checkpointsOf(folder)).toEqual(["000000", "last"]);
      expect(readlinkSync(join(folder, "checkpoints/last"))).toBe("000000");
      expect(changedNames(await weightsOf(TEACHER), await policyWeights(folder))).toEqual([]);
    }
  });

  it("with an average goes back to the weights and the average of the checkpoint", async () => {
    const more = ["--ema.decay=0.5", "--steps=12"];
    const folder = temporaryFolder();
    const log = await trainIn(folder, ...TOO_LARGE, ...rate(0.02), ...more, "--health=backoff");
    const times = log.match(/Going back/g)!.length;
    expect(differingFiles(folder, await train(...TOO_LARGE, ...rate(0.02 / 2 ** times), ...more))).toEqual([]);
  });
});

const GONE_BACK_LINE = /Going back to step 0 with 0\.5 times the learning rate that was set\n/;

describe("distillation at time 1 alone", () => {
  it("is watched at one step, and not at ten, whose times are never trained", async () => {
    const findings = async (...flags: readonly string[]): Promise<string[]> => {
      const run = await train(...RUNS.reflow, ...MEASURED, ...rate(0.003), "--steps=4", ...flags);
      return (await warningsOf(run)).filter((message) => message.includes("drifted"));
    };
    const message = /relative error \d+ % at one step \(\d+ % at first\)\. Lower/;
    expect(await findings("--reflow.stage=distill")).toEqual([expect.stringMatching(message)]);
    const both = /relative error \d+ % at one step \(\d+ % at first\), \d+ % at 10 steps \([\d.]+ % at first\)\. Lower/;
    expect(await findings()).toEqual([expect.stringMatching(both)]);
    expect(await findings("--reflow.stage=distill", "--reflow.time.share_at_atoms=0.5")).toEqual([
      expect.stringMatching(both),
    ]);
  });
});

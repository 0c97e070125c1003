import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { command } from "../../src/cli/commands/lr-sweep.js";
import { SmolVLA } from "../../src/smolvla/smolvla.js";
import { startArms } from "../../src/train/arms/start-arms.js";
import { parseTrainConfig } from "../../src/train/config.js";
import { endOf, resultIn, type Said, stepsOf, tryArms } from "./arms-run.js";
import { DATASET, filesIn, RUNS, TEACHER, temporaryFolder, train } from "./training-run.js";

const RATES = ["1e-4", "1e-3"] as const;
const LOW_END = "--policy.scheduler_decay_lr=1e-6";

async function sweep(...flags: readonly string[]): Promise<Said & { readonly folder: string }> {
  const folder = temporaryFolder();
  const said = await tryArms(command, folder, ...flags);
  expect(said.code, said.err).toBe(0);
  return { ...said, folder };
}

describe("an arm", () => {
  it.each<[string, readonly string[]]>([
    ["reflow", RUNS.reflow],
    [
      "reflow of two batches a step, pairs used twice",
      [...RUNS.reflow, "--gradient_accumulation=2", "--reflow.pair_uses=2", "--reflow.buffer_batches=2"],
    ],
    [
      "reflow with demonstrations among the pairs",
      [...RUNS.reflow, "--reflow.real.share=0.5", "--reflow.loss.distance=pseudo_huber"],
    ],
    ["reflow in bf16", [...RUNS.reflow, "--precision=bf16"]],
    ["flow matching", [...RUNS["flow matching"], "--held_out.share=0.2"]],
  ])("of %s has bit-equal losses, gradients and rates to reflow train with its rate", async (_, flags) => {
    const all = [...flags, LOW_END, "--steps=3", "--log_freq=1", "--eval_freq=3"];
    const { folder } = await sweep(...all, `--lrs=${RATES}`);
    for (const rate of RATES) {
      const run = await train(...all, `--policy.optimizer_lr=${rate}`, "--save_checkpoint=false");
      const expected = await stepsOf(run);
      expect(expected).toHaveLength(3);
      expect(await stepsOf(join(folder, "arms", rate))).toEqual(expected);
    }
  });

  it("with settings of its own instead of the preset's has bit-equal losses too", async () => {
    const own = [
      ...RUNS.reflow,
      "--use_policy_training_preset=false",
      "--optimizer.weight_decay=0.1",
      "--scheduler.num_warmup_steps=1",
      "--scheduler.num_decay_steps=10",
      "--scheduler.peak_lr=1e-3",
      "--scheduler.decay_lr=1e-4",
      "--steps=3",
      "--log_freq=1",
      "--eval_freq=3",
    ].filter((flag) => !/^--policy\.(optimizer|scheduler)_/.test(flag));
    const { folder, out } = await sweep(...own, "--lrs=5e-4,2e-3");
    const run = await train(...own, "--optimizer.lr=2e-3", "--save_checkpoint=false");
    expect(await stepsOf(join(folder, "arms/2e-3"))).toEqual(await stepsOf(run));
    expect(out).toMatch(/Recommended: --optimizer\.lr=/);
  });

  it("that diverges is stopped and marked, and the others go on as if it had not been there", async () => {
    const flags = [...RUNS.reflow, LOW_END, "--steps=3"];
    const { folder, out, err } = await sweep(...flags, "--lrs=1e-4,1e-3,1e4");
    const alone = await sweep(...flags, `--lrs=${RATES}`);
    for (const rate of RATES) {
      expect(await stepsOf(join(folder, "arms", rate))).toEqual(await stepsOf(join(alone.folder, "arms", rate)));
      expect(await endOf(join(folder, "arms", rate))).toMatchObject({ event: "end", step: 3, reason: "completed" });
    }
    expect(await endOf(join(folder, "arms/1e+4"))).toMatchObject({ event: "end", reason: "failed", step: 1 });
    expect(err).toMatch(/WARNING .* 1e\+4: stopped\. health at step 1: one update changed the trained weights by/);
    expect(out).toMatch(/\n1e\+4 .*diverged at step 1\n/);
    const { arms, status } = resultIn(folder, "lr-sweep");
    expect(status).toBe("complete");
    expect(arms.map(({ verdict }: { verdict: string }) => verdict)).toEqual(["stable", "stable", "diverged"]);
    expect(arms[2]).toMatchObject({ learning_rate: 1e4, score: null, steps_done: 1, diverged: { step: 1 } });
  });

  it("whose update leaves the numbers of float32 is stopped, and the sweep ends when none is left", async () => {
    const { out, folder } = await sweep(...RUNS.reflow, "--steps=3", "--lrs=1e37,1e38");
    expect(out).toMatch(/^Results after 1 of 3 steps/);
    expect(out).toContain(
      "No rate is recommended\n  - no rate was stable to the end. Try lower ones: --lrs=1e+36,2e+36,5e+36\n",
    );
    expect(resultIn(folder, "lr-sweep").recommendation.learning_rate).toBeNull();
  });
});

/** Calls of the network at each step but the first. */
async function callsPerStep(numArms: number): Promise<{ velocity: number; context: number; vision: number }> {
  const settings = (optimizer_lr: number) =>
    parseTrainConfig({
      dataset: { root: DATASET },
      policy: {
        use_reflow: true,
        teacher_model_path: TEACHER,
        reflow_num_inference_steps: 7,
        device: "cpu",
        optimizer_lr,
      },
      output_dir: temporaryFolder(),
      num_workers: 0,
      batch_size: 2,
      eval_freq: 0,
      steps: 3,
    }).config;
  const arms = Array.from({ length: numArms }, (_, i) => ({ name: `${i}`, settings: settings(1e-4 * (i + 1)) }));
  const run = await startArms(arms);
  onTestFinished(() => run.close());
  const velocity = vi.spyOn(SmolVLA.prototype, "velocity");
  const context = vi.spyOn(SmolVLA.prototype, "encodeContext");
  const before = { velocity: 0, context: 0 };
  for await (const { kind, step } of run.events) {
    if (kind !== "step") continue;
    if (step === 2) break;
    Object.assign(before, { velocity: velocity.mock.calls.length, context: context.mock.calls.length });
  }
  const vision = new Set(run.arms.map(({ policy }) => policy.model.vlm)).size;
  const calls = {
    velocity: velocity.mock.calls.length - before.velocity,
    context: context.mock.calls.length - before.context,
    vision,
  };
  vi.restoreAllMocks();
  return calls;
}

it("a step solves the teacher once and encodes images and language once, with one vision-language model, however many rates", async () => {
  for (const numArms of [2, 5]) {
    expect(await callsPerStep(numArms)).toEqual({ velocity: 7 + numArms, context: 1, vision: 1 });
  }
});

describe("the results", () => {
  it("measure on held-out episodes even if eval_freq is 0, which means at the start and the end alone", async () => {
    const { folder, out } = await sweep(...RUNS.reflow, LOW_END, "--steps=2", "--eval_freq=0", `--lrs=${RATES}`);
    expect(out).toContain("the teacher's solution on 1 held-out episode\n");
    const { evaluations } = resultIn(folder, "lr-sweep").arms[0];
    expect(evaluations.map(({ step }: { step: number }) => step)).toEqual([0, 2]);
    const often = await sweep(...RUNS.reflow, LOW_END, "--steps=2", "--eval_freq=1", `--lrs=${RATES}`);
    const [first, , last] = resultIn(often.folder, "lr-sweep").arms[0].evaluations;
    expect([first, last]).toEqual(evaluations);
  });

  it("are a table, plots and a recommendation on the console, and JSON, SVG and records in the folder", async () => {
    const { folder, out } = await sweep(...RUNS.reflow, LOW_END, "--steps=3", `--lrs=${RATES}`, "--held_out.share=0.2");
    expect(filesIn(folder)).toEqual([
      "arms/1e-3/records.jsonl",
      "arms/1e-4/records.jsonl",
      "lr-sweep.json",
      "lr-sweep.svg",
    ]);
    const result = resultIn(folder, "lr-sweep");
    expect(result).toMatchObject({
      status: "complete",
      steps_done: 3,
      steps: 3,
      seed: 1000,
      score: "relative_error_1",
    });
    expect(out).toContain(
      "Results after 3 of 3 steps, measured against the teacher's solution on 2 held-out episodes\n",
    );
    for (const [i, rate] of RATES.entries()) {
      const steps = await stepsOf(join(folder, "arms", rate));
      const arm = result.arms[i];
      expect(arm).toMatchObject({ learning_rate: Number(rate), name: rate, status: "trained", steps_done: 3 });
      expect(arm.first_loss).toBe(steps[0]!.loss);
      expect(arm.last_loss).toBe(steps[2]!.loss); // curves of short sweeps are not smoothed
      expect(arm.evaluations.map(({ step }: { step: number }) => step)).toEqual([0, 3]);
      expect(arm.evaluations[0].metrics).toEqual(result.untrained);
      expect(arm.score).toBe(arm.evaluations[1].metrics.relative_error_1);
      const shown = (value: number): string => String(Number(value.toPrecision(3)));
      expect(out).toMatch(
        new RegExp(`\n${rate} +${shown(arm.first_loss)} +${shown(arm.last_loss)} +${shown(100 * arm.score)} % `),
      );
    }
    expect(result.arms[0].evaluations[1]).not.toEqual(result.arms[1].evaluations[1]);
    const best = result.arms[0].score <= result.arms[1].score ? 1e-4 : 1e-3;
    expect(result.recommendation.learning_rate).toBe(best);
    expect(out).toContain(`Recommended: --policy.optimizer_lr=${best.toExponential()}\n`);
    expect(readFileSync(join(folder, "lr-sweep.svg"), "utf8")).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("of flow matching compare losses on fixed noises, as there is no teacher to agree with", async () => {
    const { folder, out } = await sweep(...RUNS["flow matching"], LOW_END, "--steps=2", `--lrs=${RATES}`);
    const { score, arms, untrained } = resultIn(folder, "lr-sweep");
    expect(score).toBe("loss");
    expect(out).toContain("measured against its own converged flow on episodes that the students train on\n");
    expect(out).toMatch(/last loss +fixed-noise loss/);
    const losses = [untrained.loss, ...arms.map((arm: { score: number }) => arm.score)];
    expect(new Set(losses).size).toBe(3);
    expect(losses.every((loss) => loss > 0)).toBe(true);
    const again = await sweep(...RUNS["flow matching"], LOW_END, "--steps=2", `--lrs=${RATES}`);
    expect(resultIn(again.folder, "lr-sweep").arms).toEqual(arms);
  });

  it("say which settings had no effect", async () => {
    const idle = ["--ema.decay=0.9", "--tensorboard=true", "--health=stop"];
    const { err } = await sweep(...RUNS.reflow, LOW_END, "--steps=1", `--lrs=${RATES}`, ...idle);
    for (const name of ["ema.decay", "tensorboard", "health"]) {
      expect(err).toContain(`${name} has no effect in lr-sweep, which keeps no policies\n`);
    }
    expect(err).toContain("policy.optimizer_lr has no effect: --lrs says which rates\n");
  });
});

it("Ctrl-C keeps what is known so far, measured and marked as partial, and ends with 130", async () => {
  const folder = temporaryFolder();
  const args = [...RUNS.reflow, LOW_END, "--steps=100000", "--log_freq=1", `--lrs=${RATES}`];
  const program = ["dist/cli/main.js", "lr-sweep", `--dataset.root=${DATASET}`, ...args, `--output_dir=${folder}`];
  const child = spawn(process.execPath, program, { env: { ...process.env, OMP_NUM_THREADS: "1" } });
  onTestFinished(() => void child.kill("SIGKILL"));
  let [out, err, isAsked] = ["", "", false];
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stderr.on("data", (text) => {
    err += text;
    if (err.includes("step:2 ") && !isAsked) isAsked = child.kill("SIGINT");
  });
  const code = await new Promise((done) => child.on("close", done));
  expect(code, err).toBe(130);
  const { status, steps_done, arms } = resultIn(folder, "lr-sweep");
  expect(status).toBe("partial");
  expect(steps_done).toBeGreaterThanOrEqual(2);
  for (const arm of arms) expect(arm.evaluations.at(-1)).toMatchObject({ step: steps_done });
  expect(out).toMatch(new RegExp(`^Partial results after ${steps_done} of 100000 steps`));
  expect(out).toMatch(/\nRecommended: .* \(from partial results\)\n/);
  expect(await endOf(join(folder, "arms/1e-3"))).toMatchObject({ step: steps_done, reason: "interrupted" });
});

describe("bad input", () => {
  async function refusal(...flags: readonly string[]): Promise<string> {
    const folder = join(temporaryFolder(), "sweep");
    const { code, err } = await tryArms(command, folder, ...RUNS.reflow, "--steps=1", ...flags);
    expect(code).toBe(1);
    expect(err).not.toMatch(/internal:|\n {4}at |Start training/);
    const left = readdirSync(join(folder, "..")).flatMap((name) => readdirSync(join(folder, "..", name)));
    expect(left).toEqual([]);
    return err;
  }

  it.each([
    ["--lrs=", '--lrs: expected at least two learning rates, such as 1e-5,2e-5,5e-5, got ""\n'],
    ["--lrs=1e-5", '--lrs: expected at least two learning rates, such as 1e-5,2e-5,5e-5, got "1e-5"\n'],
    ["--lrs=1e-5,,2e-5", '--lrs: expected at least two learning rates, such as 1e-5,2e-5,5e-5, got "1e-5,,2e-5"\n'],
    ["--lrs=0,1e-5", '--lrs: expected numbers above 0, got "0"\n'],
    ["--lrs=1e-5,-1e-5", '--lrs: expected numbers above 0, got "-1e-5"\n'],
    ["--lrs=1e-5,fast", '--lrs: expected numbers above 0, got "fast"\n'],
    ["--lrs=1e-5,1e999", '--lrs: expected numbers above 0, got "1e999"\n'],
    ["--lrs=1e-5,2e-5,0.00001", "--lrs: expected different learning rates, got 0.00001 twice\n"],
  ])("%s is refused", async (flag, message) => {
    expect(await refusal(flag)).toBe(message);
  });

  it("a rate below the schedule's end is refused before anything is trained", async () => {
    expect(await refusal("--lrs=1e-7,1e-4")).toContain(
      "training config at policy.scheduler_decay_lr: expected at most policy.optimizer_lr (1e-7), got 0.0000025. ",
    );
  });

  it("students that would train their common vision-language model are refused", async () => {
    const folder = temporaryFolder();
    const flags = [...RUNS["flow matching of all weights"], "--steps=1", `--lrs=${RATES}`];
    const { code, err } = await tryArms(command, folder, ...flags);
    expect(code).toBe(1);
    expect(err).toContain(
      "training config at policy.train_expert_only: expected true, got false. The 2 students that are compared share one " +
        "vision-language model, which stays as it is\n",
    );
  });

  it("a sweep that would be continued is refused", async () => {
    expect(await refusal("--lrs=1e-5,2e-5", "--resume=true")).toMatch(/^--resume: expected /);
  });

  it("a folder with results is replaced only if told so, and a training run never", async () => {
    const flags = [...RUNS.reflow, LOW_END, `--lrs=${RATES}`];
    const { folder } = await sweep(...flags, "--steps=1");
    const again = await tryArms(command, folder, ...flags, "--steps=2");
    expect(again.code).toBe(1);
    expect(again.err).toBe(
      `lr-sweep: ${folder} already holds results. Pass --overwrite=true to start again in their place, or another --output_dir\n`,
    );
    expect(resultIn(folder, "lr-sweep").steps).toBe(1);
    const replaced = await tryArms(command, folder, ...flags, "--steps=2", "--overwrite=true");
    expect(replaced.code, replaced.err).toBe(0);
    expect(resultIn(folder, "lr-sweep").steps).toBe(2);
    expect(await stepsOf(join(folder, "arms/1e-3"))).toHaveLength(2);

    const run = temporaryFolder();
    mkdirSync(join(run, "checkpoints"));
    writeFileSync(join(run, "records.jsonl"), "");
    const refused = await tryArms(command, run, ...flags, "--steps=1", "--overwrite=true");
    expect(refused.err).toBe(`lr-sweep: ${run} holds a training run. Choose another --output_dir\n`);
    expect(readdirSync(run).sort()).toEqual(["checkpoints", "records.jsonl"]);
  });
});

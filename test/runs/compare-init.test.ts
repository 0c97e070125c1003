import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { command } from "../../src/cli/commands/compare-init.js";
import { resultIn, type Said, stepsOf, tryArms } from "./arms-run.js";
import { filesIn, RUNS, TEACHER, temporaryFolder, train } from "./training-run.js";

const SETTINGS = [...RUNS.reflow, "--steps=3", "--log_freq=1", "--eval_freq=3"];

async function compare(...flags: readonly string[]): Promise<Said & { readonly folder: string }> {
  const folder = temporaryFolder();
  const said = await tryArms(command, folder, ...SETTINGS, ...flags);
  expect(said.code, said.err).toBe(0);
  return { ...said, folder };
}

it("each student has bit-equal losses to reflow train with its student_init: equal batches, pairs and times", async () => {
  const { folder } = await compare();
  for (const init of ["teacher", "vlm", "random"]) {
    const run = await train(...SETTINGS, `--policy.student_init=${init}`, "--save_checkpoint=false");
    const expected = await stepsOf(run);
    expect(expected).toHaveLength(3);
    expect(await stepsOf(join(folder, "arms", init))).toEqual(expected);
  }
});

it("the results are losses at milestones, agreement with the teacher before and after, a plot and JSON", async () => {
  const { folder, out } = await compare("--inits=random,teacher");
  expect(filesIn(folder)).toEqual([
    "arms/random/records.jsonl",
    "arms/teacher/records.jsonl",
    "compare-init.json",
    "compare-init.svg",
  ]);
  const { status, arms, seeds } = resultIn(folder, "compare-init");
  expect(status).toBe("complete");
  expect(seeds).toEqual([{ seed: 1000, steps_done: 3 }]);
  expect(arms.map(({ init }: { init: string }) => init)).toEqual(["random", "teacher"]);
  for (const arm of arms) {
    const losses = (await stepsOf(join(folder, "arms", arm.init))).map(({ loss }) => loss);
    expect(arm.loss_after).toEqual({ 1: losses[0], 3: losses[2] });
    expect(arm.evaluations.map(({ step }: { step: number }) => step)).toEqual([0, 3]);
    const { relative_error_1, relative_error_10, noise_explained_1, spread_ratio_1 } = arm.evaluations[1].metrics;
    for (const value of [relative_error_1, relative_error_10, noise_explained_1, spread_ratio_1]) {
      expect(value).toEqual(expect.any(Number));
    }
  }
  const [random, teacher] = arms;
  // An untrained network knows nothing of the teacher; its copy differs by the error of ten Euler steps alone.
  expect(random.evaluations[0].metrics.relative_error_10).toBeGreaterThan(1);
  expect(teacher.evaluations[0].metrics.relative_error_10).toBeLessThan(0.1);
  expect(out).toMatch(/student +loss@1 +loss@3 +error@1/);
  expect(out).toContain(
    "One seed for each student is one seed: small differences may be chance. Repeat with --seeds=3\n",
  );
});

it("further seeds are comparisons of their own, with the next seeds", async () => {
  const { folder, out } = await compare("--inits=teacher,vlm", "--seeds=2", "--seed=5");
  const alone = await compare("--inits=teacher,vlm", "--seed=6");
  for (const init of ["teacher", "vlm"]) {
    const second = await stepsOf(join(folder, `arms/${init}-seed-6`));
    expect(second).toEqual(await stepsOf(join(alone.folder, "arms", init)));
    expect(second).not.toEqual(await stepsOf(join(folder, `arms/${init}-seed-5`)));
  }
  expect(resultIn(folder, "compare-init").seeds).toEqual([
    { seed: 5, steps_done: 3 },
    { seed: 6, steps_done: 3 },
  ]);
  expect(out).toMatch(/^Results of seeds 5 \(3 of 3 steps\), 6 \(3 of 3 steps\)/);
  expect(out).not.toContain("One seed");
});

describe("bad input", () => {
  it.each([
    ["--inits=teacher", '--inits: expected at least two of teacher, vlm, random, got "teacher"\n'],
    ["--inits=", '--inits: expected at least two of teacher, vlm, random, got ""\n'],
    [
      "--inits=teacher,rand0m",
      '--inits: expected some of teacher, vlm, random, got "rand0m". Did you mean "random"?\n',
    ],
    ["--inits=vlm,vlm", "--inits: expected different entries, got vlm twice\n"],
    ["--seeds=0", "--seeds: expected at least 1, got 0\n"],
    [
      "--policy.use_reflow=false",
      "training config at policy.use_reflow: expected true for compare-init, got false. Students are compared by their teacher\n",
    ],
    [
      `--policy.path=${TEACHER}`,
      `training config at policy.path: expected none for compare-init, got "${TEACHER}". What students begin as is what --inits compares\n`,
    ],
  ])("%s is refused", async (flag, message) => {
    const folder = join(temporaryFolder(), "comparison");
    const withoutTeacher = SETTINGS.filter((setting) => !setting.startsWith("--policy.teacher_model_path"));
    const settings = flag.includes("use_reflow=false") ? [...withoutTeacher, "--policy.type=smolvla"] : SETTINGS;
    const { code, err } = await tryArms(command, folder, ...settings, flag);
    expect(err).toContain(message);
    expect(err).not.toMatch(/internal:|Start training/);
    expect(code).toBe(1);
    expect(readdirSync(join(folder, ".."))).toEqual([]);
  });

  it("a folder that holds a comparison is refused", async () => {
    const { folder } = await compare("--inits=teacher,vlm");
    const { code, err } = await tryArms(command, folder, ...SETTINGS);
    expect(code).toBe(1);
    expect(err).toContain(`compare-init: ${folder} already holds results. Pass --overwrite=true`);
  });
});

/** A teacher and its students compared, through the real command. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCompareSettings } from "../../src/cli/compare-settings.js";
import { runCompare } from "../../src/cli/run-compare.js";
import { type Comparison, readComparison } from "../../src/compare/index.js";
import { setNumThreads } from "../../src/torch/index.js";
import { interruptCompareCommand, makePolicies, type Policies, QUICK, runCompareCommand } from "./compare-policies.js";
import { DATASET, TEACHER, temporaryFolder } from "./training-run.js";

const root = mkdtempSync(join(tmpdir(), "reflow-compare-"));
afterAll(() => rmSync(root, { recursive: true }));

let policies: Policies;
let flags: readonly string[];
let unbroken: { readonly code: number; readonly out: string; readonly err: string; readonly comparison: Comparison };

const fileIn = (folder: string): string => join(folder, "comparison.json");
const stepsIn = (rows: readonly { readonly policy: string; readonly numSteps: number }[] = []) =>
  rows.map(({ policy, numSteps }) => `${policy} ${numSteps}`);

/** What of a policy's files is changed here. */
interface PolicyJson {
  readonly input_features?: object;
  readonly steps?: readonly { readonly state_file?: string }[];
}

/** What a comparison found out; not when, and how fast. */
const findings = ({ offline, closedLoop, verdicts, status }: Comparison) => ({
  ...{ status, offline, verdicts },
  driven: closedLoop?.rows.map(({ seconds: _, latency: __, ...row }) => row),
});

beforeAll(async () => {
  policies = await makePolicies(root);
  flags = [
    ...QUICK,
    `--policies=${policies.teacher},straight=${policies.student},one=${policies.distilled}`,
    `--dataset.root=${policies.dataset}`,
    ...["--env.type=avoiding", "--env.max_steps=12", "--eval.n_episodes=3", "--eval.batch_size=2"],
  ];
  const folder = join(root, "unbroken");
  const output = await runCompareCommand(...flags, `--output_dir=${folder}`);
  expect([output.code, output.err]).toEqual([0, expect.any(String)]);
  unbroken = { ...output, comparison: await readComparison(fileIn(folder)) };
});

describe("a comparison", () => {
  it("holds the naive teacher with every number of steps and as deployed, and so a distilled policy", () => {
    const { comparison } = unbroken;
    const rows = ["teacher 1", "teacher 2", "teacher 3", "straight 1", "straight 2", "one 1", "one 2"];
    expect(stepsIn(comparison.offline?.rows)).toEqual(rows);
    expect(stepsIn(comparison.closedLoop?.rows)).toEqual(rows);
    expect(comparison).toMatchObject({
      status: "complete",
      settings: {
        ...{ numStepsList: [1, 2], deployedSteps: 3 },
        environment: { id: "avoiding-ts/1", options: { maxSteps: 12 }, numActionSteps: 4 },
      },
      policies: [
        { name: "teacher", round: 1, isDistilled: false },
        { name: "straight", round: 2, isDistilled: false },
        { name: "one", round: 2, isDistilled: true },
      ],
    });
  });

  it("has videos of the first episodes of every row", () => {
    const { comparison } = unbroken;
    const videos = comparison.closedLoop!.rows.flatMap((row) => row.videos);
    expect(videos).toHaveLength(2 * comparison.closedLoop!.rows.length);
    expect(videos).toContain("videos/one_1/avoiding_0/eval_episode_1.mp4");
    for (const video of videos) expect(existsSync(join(root, "unbroken", video))).toBe(true);
  });

  it("is a file of JSON without null, and with the measures that have a value", () => {
    const text = readFileSync(fileIn(join(root, "unbroken")), "utf8");
    expect(text).not.toMatch(/\bnull\b/);
    const { offline } = unbroken.comparison;
    for (const row of offline!.rows) {
      expect(row).toMatchObject({
        teacher: { relativeError: expect.any(Number), noiseExplained: expect.any(Number) },
        energyDistance: { zeroLevel: expect.any(Number) },
        slicedWasserstein: { excess: expect.any(Number) },
        errorPerDimension: [expect.any(Number), expect.any(Number)],
      });
    }
    expect(offline!.rows.some(({ noiseExplainedInterval }) => noiseExplainedInterval)).toBe(false); // of 3 observations
    expect(offline!.otherNoise.noiseExplained).toBeLessThan(0);
    expect(offline!.flows.map(({ policy, identity }) => [policy, identity !== undefined])).toEqual([
      ["teacher", true],
      ["straight", true],
      ["one", false], // there is no loss of one step
    ]);
    for (const { paths } of offline!.flows) {
      expect(paths.times).toEqual([1, 0.8, 0.6, 0.4, 0.19999999999999996, 0]);
      expect(paths.points.map((way) => way.length)).toEqual([6, 6, 6, 6]);
    }
  });

  it("has the teacher agree with itself: its deployed steps with themselves wholly", () => {
    const row = unbroken.comparison.offline!.rows.find(
      ({ policy, numSteps }) => policy === "teacher" && numSteps === 3,
    )!;
    expect(row.deployed).toMatchObject({ relativeError: 0, noiseExplained: 1, spreadRatio: 1 });
    expect(row.self).toEqual(row.teacher);
  });

  it("drives every row through the same starts, and one policy of two names to the same end", () => {
    const { rows } = unbroken.comparison.closedLoop!;
    for (const row of rows) expect(row.episodes.map(({ seed }) => seed)).toEqual([1000, 1001, 1002]);
    const [straight, one] = ["straight", "one"].map((name) =>
      rows.find(({ policy, numSteps }) => policy === name && numSteps === 1),
    );
    expect(one!.routes).toEqual(straight!.routes);
    expect(one!.against).toEqual(straight!.against);
  });

  it("drives them on two threads through the same episodes", async () => {
    const folder = temporaryFolder();
    const { code } = await runCompareCommand(...flags, "--eval.num_workers=2", `--output_dir=${folder}`);
    expect(code).toBe(0);
    const episodesIn = ({ closedLoop }: Comparison) =>
      closedLoop?.rows.map(({ policy, numSteps, episodes }) => ({ policy, numSteps, episodes }));
    expect(episodesIn(await readComparison(fileIn(folder)))).toEqual(episodesIn(unbroken.comparison));
  });

  it("takes the episodes that the student's run has held out, and says that the teacher has seen them", () => {
    const { dataset } = unbroken.comparison.settings;
    expect(dataset).toMatchObject({ episodes: [1, 4], numObservations: 3, numNoises: 4 });
    expect(unbroken.err).toContain("warning: teacher learnt from some of the episodes");
    expect(unbroken.err).toContain("the observations are of 2 episodes only");
    expect(unbroken.err).toContain("nothing proves that one did not learn from the held-out episodes");
  });

  it("prints tables, sentences and where the file is", () => {
    const { out } = unbroken;
    expect(out).toMatch(/^Samples from the same noise \(3 observations, 4 noises for each\):\n/);
    expect(out).toMatch(/\nteacher, other noise /);
    expect(out).toMatch(/\nNo episode succeeded of .*: the entropy of ways is undefined there\./);
    expect(out).toMatch(
      /straight with 1 step (keeps|misses) the margin: samples between modes \d+\.\d %, at most \d+\.\d % wanted\n/,
    );
    expect(out).toContain("success is not judged: the teacher itself succeeds in 0.0 % only");
    expect(out).toContain(fileIn(join(root, "unbroken")));
  });

  it("that is there is shown again, not measured again, and never lost to other settings", async () => {
    const folder = join(root, "unbroken");
    const again = await runCompareCommand(...flags, `--output_dir=${folder}`);
    expect([again.code, again.out]).toEqual([0, unbroken.out]);
    expect(await readComparison(fileIn(folder))).toEqual(unbroken.comparison);
    const { code, err } = await runCompareCommand(...flags, "--seed=5", `--output_dir=${folder}`);
    expect(code).toBe(1);
    expect(err).toContain(
      "holds a finished comparison of other settings, policies or data. Give the same again to see it",
    );
  });

  it("of samples alone, or of closed loops alone, holds that part", async () => {
    const folder = temporaryFolder();
    const base = [...QUICK, `--policies=${policies.teacher}`, "--num_steps=1"];
    const offline = ["--dataset.root", policies.dataset, "--dataset.episodes=[0]"];
    const { code } = await runCompareCommand(...base, ...offline, `--output_dir=${folder}`);
    expect(code).toBe(0);
    const samples = await readComparison(fileIn(folder));
    expect([samples.closedLoop, stepsIn(samples.offline?.rows), samples.verdicts]).toEqual([
      undefined,
      ["teacher 1", "teacher 3"],
      [],
    ]);
    const driven = [...base, "--env.type=avoiding", "--env.max_steps=4", "--eval.n_episodes=1", "--overwrite=true"];
    expect((await runCompareCommand(...driven, `--output_dir=${folder}`)).code).toBe(0);
    const loops = await readComparison(fileIn(folder));
    expect([loops.offline, stepsIn(loops.closedLoop?.rows)]).toEqual([undefined, ["teacher 1", "teacher 3"]]);
  });

  it("with a teacher of one step says that its flow is no reference", async () => {
    const base = [...QUICK, `--policies=${policies.distilled}`, `--dataset.root=${policies.dataset}`, "--num_steps=1"];
    const { code, err } = await runCompareCommand(...base, `--output_dir=${temporaryFolder()}`);
    expect([code, err]).toEqual([
      0,
      expect.stringContaining("distilled, the teacher, was trained for one step: its flow"),
    ]);
  });

  it("warns of other numbers of actions, of cameras that the dataset lacks and of lost statistics, once each", async () => {
    const odd = join(temporaryFolder(), "odd");
    cpSync(policies.distilled, odd, { recursive: true });
    const change = (name: string, changed: (json: PolicyJson) => unknown): void => {
      const file = join(odd, name);
      writeFileSync(file, JSON.stringify(changed(JSON.parse(readFileSync(file, "utf8")))));
    };
    change("config.json", ({ input_features, ...json }) => ({
      ...{ ...json, n_action_steps: 2 },
      input_features: { ...input_features, "observation.images.wrist": { type: "VISUAL", shape: [3, 96, 96] } },
    }));
    change("policy_preprocessor.json", ({ steps, ...json }) => ({
      ...json,
      steps: steps!.map(({ state_file: _, ...step }) => step),
    }));
    const base = [...QUICK, `--policies=${policies.teacher},${odd}`, `--dataset.root=${policies.dataset}`];
    const { code, err } = await runCompareCommand(...base, "--num_steps=1", `--output_dir=${temporaryFolder()}`);
    expect(code).toBe(0);
    expect(err.split("\n").filter((line) => line.includes(": odd"))).toEqual([
      "warning: odd carries out 2 actions of a chunk by its own config.json; here all carry out 4, as teacher does " +
        "(--n_action_steps says otherwise)",
      "warning: odd looks at observation.images.wrist, which the dataset lacks",
      expect.stringMatching(/^warning: odd: the policy has no statistics for observation\.state, action: they pass un/),
    ]);
  });

  it("that misses a margin exits with 1 if it is asked to, and with 0 otherwise", async () => {
    const policiesOf = `--policies=${policies.teacher},${policies.student}`;
    const base = [
      ...QUICK,
      policiesOf,
      "--num_steps=1",
      `--dataset.root=${policies.dataset}`,
      "--margins.between_modes=0",
    ];
    const misses = async (...more: string[]) => {
      const folder = temporaryFolder();
      const { code } = await runCompareCommand(...base, ...more, `--output_dir=${folder}`);
      const { verdicts } = await readComparison(fileIn(folder));
      return [code, verdicts.every(({ isMet }) => isMet)];
    };
    const [plain, strict] = [await misses(), await misses("--fail_on_verdict=true")];
    expect(plain[0]).toBe(0);
    expect(strict).toEqual([plain[1] ? 0 : 1, plain[1]]);
  });
});

describe("a comparison that is interrupted", () => {
  it.each([
    ["among the samples", "straight: 2 of 3 observations"],
    ["in the middle of a closed loop", "teacher, 1 step: 2 of 3 episodes"],
    ["in the last row", "one, 2 steps: 2 of 3 episodes"],
  ])("%s keeps what it knows as partial; the same command ends with what an unbroken one finds", async (_, text) => {
    setNumThreads(1);
    const folder = temporaryFolder();
    const config = await readCompareSettings([...flags, `--output_dir=${folder}`]);
    const interrupt = new AbortController();
    const seen: string[] = [];
    const onProgress = (progress: string): void => {
      seen.push(progress);
      if (progress === text) interrupt.abort();
    };
    const { wasInterrupted } = await runCompare(config, {
      ...{ signal: interrupt.signal, onWarning: () => {}, onSamples: onProgress, onEpisodes: onProgress },
    });
    expect([wasInterrupted, seen]).toEqual([true, expect.arrayContaining([text])]);
    const partial = await readComparison(fileIn(folder));
    expect(partial.status).toBe("partial");
    expect(partial.margins).toEqual(unbroken.comparison.margins);
    const { code, err } = await runCompareCommand(...flags, `--output_dir=${folder}`);
    expect([code, err]).toEqual([0, expect.any(String)]);
    expect(findings(await readComparison(fileIn(folder)))).toEqual(findings(unbroken.comparison));
  });

  it("by Ctrl-C says so and exits with 130", async () => {
    const folder = temporaryFolder();
    const { code, out } = await interruptCompareCommand(...flags, `--output_dir=${folder}`);
    expect([code, out]).toEqual([130, expect.stringContaining("Interrupted: the figures are of what was measured")]);
    expect((await readComparison(fileIn(folder))).status).toBe("partial");
  });

  it("is not continued with other settings", async () => {
    const folder = temporaryFolder();
    writeFileSync(fileIn(folder), JSON.stringify({ ...unbroken.comparison, status: "partial" }));
    const { code, err } = await runCompareCommand(...flags, "--margins.success=0.5", `--output_dir=${folder}`);
    expect(code).toBe(1);
    expect(err).toContain("holds an unfinished comparison of other settings, policies or data");
  });
});

describe("reflow compare refuses", () => {
  const folder = (): string => join(temporaryFolder(), "out");
  const named = (name: "teacher" | "student") => policies[name];

  it.each([
    [
      "nothing to measure",
      () => [],
      "comparison settings: expected a dataset to compare samples on (--dataset.root=DIR), a world",
    ],
    ["an unknown world", () => ["--env.type=pusht"], 'expected type to be one of avoiding, got "pusht"'],
    [
      "a missing dataset",
      () => ["--dataset.root=/nowhere"],
      "/nowhere: expected a LeRobot dataset folder, got no folder",
    ],
    [
      "episodes that there are not",
      () => [`--dataset.root=${policies.dataset}`, "--dataset.episodes=[1,9]"],
      "which has 6 (0 to 5), got 9",
    ],
    [
      "a dataset of another robot",
      () => [`--dataset.root=${DATASET}`],
      'expected a dataset for policy "teacher", got ',
    ],
    ["a misspelt setting", () => ["--env.type=avoiding", "--num_step=1"], "num_step: unknown key. Did you mean"],
    [
      "steps that are none",
      () => ["--env.type=avoiding", "--num_steps=1,x"],
      'at num_steps: expected whole numbers of at least 1, such as 1,2,10, got "1,x"',
    ],
    [
      "more actions than a chunk has",
      () => ["--env.type=avoiding", "--n_action_steps=9"],
      "at n_action_steps: expected at most 8",
    ],
  ])("%s, before anything is measured", async (_, more, message) => {
    const output = folder();
    const { code, err } = await runCompareCommand(
      `--policies=${named("teacher")}`,
      ...more(),
      `--output_dir=${output}`,
    );
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(err).not.toMatch(/internal:/);
    expect(existsSync(output)).toBe(false);
  });

  it("policies that do not fit the world or each other, naming both sides", async () => {
    const alone = await runCompareCommand(
      `--policies=robot=${TEACHER}`,
      "--env.type=avoiding",
      `--output_dir=${folder()}`,
    );
    expect(alone.err).toContain(
      'compare: policy "robot": env: expected a policy for avoiding-ts/1, got one whose features',
    );
    const both = [`--policies=${named("teacher")},robot=${TEACHER}`, "--env.type=avoiding", `--output_dir=${folder()}`];
    expect((await runCompareCommand(...both)).err).toContain(
      'expected policies with chunks of one size, got [8, 2] padded to 3 of "teacher" and [10, 3] padded to 8 of "robot"',
    );
    const twice = [`--policies=a=${named("teacher")},a=${named("student")}`, "--env.type=avoiding"];
    expect((await runCompareCommand(...twice)).err).toContain('expected different names, got "a" twice');
  });

  it("a place that cannot hold the comparison", async () => {
    const [parent, base] = [temporaryFolder(), [`--policies=${named("teacher")}`, "--env.type=avoiding"]];
    writeFileSync(join(parent, "file"), "");
    const under = await runCompareCommand(...base, `--output_dir=${join(parent, "file", "out")}`);
    expect([under.code, under.err]).toEqual([1, expect.stringMatching(/compare: .*out cannot be made \(/)]);
    mkdirSync(join(parent, "pipeline"));
    writeFileSync(fileIn(join(parent, "pipeline")), '{"format": 1}');
    const other = await runCompareCommand(...base, "--overwrite=true", `--output_dir=${join(parent, "pipeline")}`);
    expect([other.code, other.err]).toEqual([1, expect.stringContaining("is no comparison of policies")]);
    expect(readFileSync(fileIn(join(parent, "pipeline")), "utf8")).toBe('{"format": 1}');
  });
});

/** Which folders are reported, and what is said of them. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Verdict } from "../../src/compare/comparison.js";
import type { RunEvent } from "../../src/records/run-event.js";
import { collectReport } from "../../src/report/collect-report.js";
import { embedClips } from "../../src/report/embed-clips.js";
import type { ReportData, Tone } from "../../src/report/report-data.js";
import { CheckpointError } from "../../src/support/errors.js";
import { FIXTURE } from "../parity/fixture.js";
import { filesIn, temporaryFolder } from "../runs/training-run.js";
import { plausibleComparison } from "./plausible-comparison.js";
import { plausibleRecords, writeComparison, writeEvaluation, writeRecords } from "./report-folders.js";

const now = new Date("2026-03-14T10:00:00Z");

const collect = (folders: readonly string[], mayBeEmpty = false): Promise<ReportData> =>
  collectReport(folders, { now, version: "0.1.0", clipsFrom: embedClips, mayBeEmpty });

const said = ({ conclusions }: ReportData, tone: Tone): readonly string[] =>
  conclusions.filter((conclusion) => conclusion.tone === tone).map(({ text }) => text);

const STAGES = {
  format: 1,
  num_observations: 8,
  num_noises: 4,
  reference_steps: 100,
  seed: 1,
  reference: "flow",
  policies: [{ name: "flow", stage: "01-flow", path: "p", weights_sha256: "0", k: 1, distilled: false }],
  dataset: { content_hash: "0", episodes: [3, 9] },
  held_out: true,
  rows: [{ name: "flow", num_steps: 1, relative_error: 0.3, noise_explained: null, spread_ratio: 0.9 }],
  findings: ["reflow: spread 0.70 of the original's"],
};

describe("folders", () => {
  it("are told apart by their files", async () => {
    const folder = temporaryFolder();
    const report = await collect([
      writeRecords(join(folder, "run"), plausibleRecords()),
      writeComparison(join(folder, "compare"), plausibleComparison()),
      writeEvaluation(join(folder, "eval")),
    ]);
    expect(report.runs.map(({ name, state, step }) => [name, state, step])).toEqual([["run", "completed", 6000]]);
    expect(report.comparisons.map(({ name }) => name)).toEqual(["compare"]);
    expect(report.evaluations.map(({ name, numSuccesses, numEpisodes }) => [name, numSuccesses, numEpisodes])).toEqual([
      ["eval", 61, 80],
    ]);
    expect(report.evaluations[0]!.success!.low).toBeCloseTo(0.6588, 3);
    expect(Object.keys(report.scenes)).toEqual(["avoiding-ts/1"]);
    expect(report.problems).toEqual([]);
  });

  it("of a pipeline, and others that only hold such folders, are taken apart in the order of their names", async () => {
    const folder = temporaryFolder();
    for (const name of ["02-reflow", "01-flow"]) writeRecords(join(folder, name), plausibleRecords());
    mkdirSync(join(folder, "empty"));
    writeFileSync(join(folder, "pipeline.json"), "{}");
    writeFileSync(join(folder, "comparison.json"), JSON.stringify(STAGES));
    const report = await collect([folder]);
    expect(report.runs.map(({ name }) => name)).toEqual(["01-flow", "02-reflow"]);
    expect(report.stageComparisons).toMatchObject([
      { reference: "flow", numEpisodes: 2, rows: [{ policy: "flow", numSteps: 1, relativeError: 0.3 }] },
    ]);
    expect(report.stageComparisons[0]!.rows[0]).not.toHaveProperty("noiseExplained");
    expect(said(report, "warning")).toContain("Reflow: spread 0.70 of the original's.");
  });

  it("that hold a pipeline or a sweep among others are taken apart with it, and a link beside what it names adds nothing", async () => {
    const folder = temporaryFolder();
    for (const name of ["pipeline/01-flow", "pipeline/02-reflow", "sweep/arms/lr-1", "z"]) {
      writeRecords(join(folder, name), plausibleRecords());
    }
    writeFileSync(join(folder, "pipeline/pipeline.json"), "{}");
    writeFileSync(join(folder, "pipeline/comparison.json"), JSON.stringify(STAGES));
    symlinkSync(join(folder, "z"), join(folder, "zz-last"));
    const report = await collect([folder]);
    expect(report.runs.map(({ name }) => name)).toEqual(["01-flow", "02-reflow", "lr-1", "z"]);
    expect(report.stageComparisons.map(({ name }) => name)).toEqual(["pipeline"]);
  });

  it("are reported once, also under two names, and told apart by their path if they are called alike", async () => {
    const folder = temporaryFolder();
    const runs = ["a/run", "b/run"].map((name) => writeRecords(join(folder, name), plausibleRecords()));
    symlinkSync(runs[0]!, join(folder, "link"));
    const report = await collect([...runs, join(folder, "link"), join(folder, "a")]);
    expect(report.runs.map(({ name }) => name)).toEqual(["a/run", "b/run"]);
  });

  it("that hold nothing to report are refused with what was looked for", async () => {
    const folder = temporaryFolder();
    const failed = collect([folder]);
    await expect(failed).rejects.toThrow(CheckpointError);
    await expect(failed).rejects.toThrow(
      `report: expected ${folder} to hold records.jsonl (a training run), comparison.json (a comparison), eval_info.json (an evaluation)`,
    );
  });

  it("that are missing or files are refused", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    await expect(collect([join(folder, "none")])).rejects.toThrow("none, which does not exist");
    await expect(collect([join(folder, "file")])).rejects.toThrow("file, which is a file");
  });

  it("may be missing for a run that has not begun", async () => {
    const folder = join(temporaryFolder(), "later");
    expect(await collect([folder], true)).toMatchObject({ awaited: [folder], runs: [{ state: "not begun" }] });
  });
});

describe("damaged files", () => {
  it.each([
    ["cut", (file: string) => truncateSync(file, 100), "expected JSON, got something else"],
    ["of another format", (file: string) => writeFileSync(file, '{"format":"other"}'), "format"],
    ["without a part", (file: string) => writeFileSync(file, '{"format":1}'), "num_observations"],
  ])("%s are named, and the rest is reported", async (_, damage, message) => {
    const folder = temporaryFolder();
    const comparison = writeComparison(join(folder, "compare"), plausibleComparison());
    damage(join(comparison, "comparison.json"));
    const run = writeRecords(join(folder, "run"), plausibleRecords());
    const { problems, runs } = await collect([comparison, run]);
    expect(problems).toEqual([
      {
        file: join(comparison, "comparison.json"),
        message: expect.stringContaining(join(comparison, "comparison.json")),
      },
    ]);
    expect(problems[0]!.message).toContain(message);
    expect(runs).toHaveLength(1);
    await expect(collect([comparison])).rejects.toThrow(
      "report: expected at least one file that can be read, got none",
    );
  });

  it("of an evaluation and of a policy's origin are named too", async () => {
    const folder = temporaryFolder();
    const evaluation = writeEvaluation(join(folder, "eval"));
    writeFileSync(
      join(evaluation, "eval_info.json"),
      '{"per_task":[{"task_group":"x","metrics":{"successes":["yes"]}}]}',
    );
    const run = writeRecords(join(folder, "run"), plausibleRecords());
    const policy = join(run, "checkpoints/last/pretrained_model");
    mkdirSync(policy, { recursive: true });
    writeFileSync(join(policy, "reflow.json"), "{");
    const { problems } = await collect([evaluation, run]);
    expect(problems.map(({ file }) => file)).toEqual([join(evaluation, "eval_info.json"), join(policy, "reflow.json")]);
    expect(problems[0]!.message).toContain("per_task.0.metrics.successes.0: expected true or false");
  });
});

describe("a run", () => {
  const start = (step: number): RunEvent => ({
    event: "run-start",
    step,
    config: { steps: 40, policy: { use_reflow: true }, reflow: { stage: "distill" } },
    versions: {},
  });
  const loss = (step: number, value: number): RunEvent => ({ event: "step", step, metrics: { "train/loss": value } });

  it("shows what counts, and keeps warnings of what it took back, marked", async () => {
    const warning: RunEvent = { event: "warning", step: 20, message: "health at step 20: the loss has risen" };
    const events = [start(0), loss(10, 1), loss(20, 9), warning, start(10), loss(20, 0.5)];
    const { runs, conclusions } = await collect([writeRecords(join(temporaryFolder(), "run"), events)]);
    const [run] = runs;
    expect(run!.series["train/loss"]).toMatchObject({ steps: [10, 20], values: [1, 0.5] });
    expect(run!.events.map(({ kind, isTakenBack }) => [kind, isTakenBack])).toEqual([
      ["start", false],
      ["warning", true],
      ["start", false],
    ]);
    expect([run!.state, run!.objective, run!.numSteps]).toEqual(["killed or running", "distillation", 40]);
    expect(conclusions.map(({ text }) => text).join("\n")).toMatch(/health watch spoke once[\s\S]*at step 20 of 40/);
  });

  it("with a torn last line is shown up to it, and the line is named", async () => {
    const folder = writeRecords(join(temporaryFolder(), "run"), [start(0), loss(10, 1)]);
    appendFileSync(join(folder, "records.jsonl"), '{"event":"step","step":20,"met');
    const { runs } = await collect([folder]);
    expect(runs[0]).toMatchObject({ step: 10, droppedLines: [3] });
  });

  it("has texts for settings and versions, whatever its records hold", async () => {
    const folder = join(temporaryFolder(), "run");
    mkdirSync(folder);
    const begun = {
      event: "run-start",
      step: 0,
      time: "never",
      config: [1],
      versions: { torch: { major: 2 }, node: null },
    };
    writeFileSync(join(folder, "records.jsonl"), JSON.stringify(begun));
    const { runs } = await collect([folder]);
    expect(runs[0]).toMatchObject({ versions: { "torch.major": "2", node: "null" }, settings: [] });
  });

  it("that failed, or whose figures are no numbers, says so", async () => {
    const events: RunEvent[] = [
      start(0),
      loss(10, Number.NaN),
      { event: "end", step: 10, reason: "failed", message: "the loss is NaN" },
    ];
    const report = await collect([writeRecords(join(temporaryFolder(), "run"), events)]);
    expect(report.runs[0]).toMatchObject({ state: "failed", failure: "the loss is NaN" });
    expect(said(report, "broken")).toEqual(["The distillation run failed after step 10 of 40: the loss is NaN"]);
    expect(said(report, "warning")).toEqual(["Of the recorded figures, 1 is no finite number."]);
    expect(said(report, "open")[0]).toMatch(/^Agreement with the teacher was not measured/);
  });
});

describe("a comparison", () => {
  it("is told with as many digits as tell a figure from its bound", async () => {
    const { verdicts, ...rest } = plausibleComparison();
    const close = verdicts.slice(0, 1).map((verdict) => ({ ...verdict, value: 0.968, bound: 0.972, isMet: false }));
    const report = await collect([writeComparison(join(temporaryFolder(), "compare"), { ...rest, verdicts: close })]);
    expect(said(report, "broken").join()).toContain("success 96.8 %, bound at least 97.2 %");
  });

  it("is summed up by its verdicts, in the order of what they say", async () => {
    const report = await collect([writeComparison(join(temporaryFolder(), "compare"), plausibleComparison())]);
    const texts = report.conclusions.map(({ text }) => text);
    expect(texts[0]).toBe(
      "Margins stated beforehand: 5 points of success, 5 % of the entropy of ways, 2 points of samples between modes. " +
        "Fewest steps that keep all that was judged, with their whole intervals: 2-rf with 1 step. " +
        "Not judged: variety of ways (entropy), share of samples between modes.",
    );
    const numOf = (tone: Tone): number => said(report, tone).length;
    expect([numOf("broken"), numOf("open") > 0, numOf("kept")]).toEqual([3, true, 5]);
    expect(said(report, "kept")[1]).toMatch(
      /^2-rf with 1 step keeps the margin, and so does its whole 95 % interval: success [\d.]+ %, bound at least [\d.]+ %; .* points \(95 %: .* points\) against teacher with 10 steps in 120 paired episodes\.$/,
    );
    expect(said(report, "warning")[0]).toMatch(
      /^one-step with 10 steps follows the noise worse than a policy that ignores it/,
    );
    expect(said(report, "note")).toContain(
      "In 21 of the 64 observations the teacher has two modes; what is said of modes rests on those.",
    );
  });

  it("promises nothing that is no more than an estimate, or no success", async () => {
    const { verdicts, ...rest } = plausibleComparison();
    const first = async (changed: readonly Verdict[]) =>
      (await collect([writeComparison(join(temporaryFolder(), "compare"), { ...rest, verdicts: changed })]))
        .conclusions[0]!;
    const uncertain = await first(verdicts.map(({ isCertain: _, ...verdict }) => verdict));
    expect([uncertain.tone, uncertain.text]).toEqual([
      "open",
      expect.stringMatching(
        /None is kept for certain; by the estimates alone: 2-rf with 1 step, one-step with 1 step\./,
      ),
    ]);
    const ofModes = verdicts.map((verdict) => ({
      ...verdict,
      measure: "betweenModes" as const,
      isMet: true,
      isCertain: true,
    }));
    expect(await first(ofModes)).toMatchObject({
      tone: "open",
      text: expect.stringContaining("Not judged: success, "),
    });
    const broken = await first(verdicts.map((verdict) => ({ ...verdict, isMet: false })));
    expect([broken.tone, broken.text]).toEqual([
      "broken",
      expect.stringContaining("With no number of steps are all of them kept."),
    ]);
  });

  it("says what it cannot know: few episodes, no modes, nothing driven, not complete", async () => {
    const { offline, closedLoop: _, ...rest } = plausibleComparison();
    const unimodal = offline!.rows.map((row) => ({ ...row, modes: { ...row.modes, numMultimodal: 0 } }));
    const report = await collect([
      writeComparison(join(temporaryFolder(), "compare"), {
        ...rest,
        status: "partial",
        offline: { ...offline!, rows: unimodal },
        verdicts: [],
      }),
    ]);
    const open = said(report, "open").join("\n");
    expect(open).toContain("Nothing was measured that could be held against them.");
    expect(open).toContain("Not everything that was asked for has been measured yet.");
    expect(open).toContain("In none of the 64 observations does the teacher have two modes");
    expect(open).toContain("Nothing was run in closed loop");
    const few = await collect([writeComparison(join(temporaryFolder(), "few"), plausibleComparison(7, 12))]);
    expect(said(few, "open").join("\n")).toContain("Some rows have 12 episodes only");
  });
});

describe("clips", () => {
  const VIDEO = filesIn(join(FIXTURE, "dataset-v3.0/videos")).map((name) =>
    join(FIXTURE, "dataset-v3.0/videos", name),
  )[0]!;
  const withClips = (write: (videos: string) => readonly string[]): string => {
    const folder = join(temporaryFolder(), "eval");
    mkdirSync(join(folder, "videos"), { recursive: true });
    return writeEvaluation(folder, { videos: write(join(folder, "videos")) });
  };
  /** An mp4 file by its first box, of any size. */
  const fakeClip = (file: string, numBytes: number): string => {
    writeFileSync(file, Buffer.from("\0\0\0\u0018ftypisom", "latin1"));
    truncateSync(file, numBytes);
    return file;
  };

  it("are embedded whole, also from a folder that was moved", async () => {
    const folder = withClips((videos) => {
      writeFileSync(join(videos, "one.mp4"), readFileSync(VIDEO));
      return ["outputs/elsewhere/videos/one.mp4"];
    });
    const { clips } = await collect([folder]);
    expect(clips.leftOut).toEqual([]);
    const [type, base64] = clips.clips[0]!.source.split(",");
    expect(type).toBe("data:video/mp4;base64");
    expect(Buffer.from(base64!, "base64").equals(readFileSync(VIDEO))).toBe(true);
  });

  it("of stock LeRobot, which lie in a folder for each task, are found after a move too", async () => {
    const names = ["pusht_0", "pusht_1"].map((task) => `videos/${task}/eval_episode_0.mp4`);
    const folder = withClips((videos) => {
      for (const [i, name] of names.entries()) {
        mkdirSync(join(videos, "..", name, ".."), { recursive: true });
        fakeClip(join(videos, "..", name), 100 + i);
      }
      return names.map((name) => `outputs/eval/2026-03-14/${name}`);
    });
    const { clips } = await collect([folder]);
    expect(clips.leftOut).toEqual([]);
    expect(clips.clips.map(({ file }) => file)).toEqual(names.map((name) => join(folder, name)));
  });

  it("are at most 12 and 16 MB; what is left out is said", async () => {
    const many = withClips((videos) => Array.from({ length: 13 }, (_, i) => fakeClip(join(videos, `${i}.mp4`), 1000)));
    const { clips } = await collect([many]);
    expect([clips.clips.length, clips.leftOut.map(({ reason }) => reason)]).toEqual([12, ["more than 12 clips"]]);
    const large = withClips((videos) => ["a", "b"].map((name) => fakeClip(join(videos, `${name}.mp4`), 9 * 2 ** 20)));
    expect((await collect([large])).clips).toMatchObject({
      clips: [{ title: "eval, clip 1" }],
      leftOut: [{ reason: "more than 16 MB of clips together" }],
    });
  });

  it("that are no mp4 files, or lie outside of the folder that names them, are not read", async () => {
    const outside = fakeClip(join(temporaryFolder(), "secret.mp4"), 100);
    const folder = withClips((videos) => {
      writeFileSync(join(videos, "text.mp4"), "no film at all");
      symlinkSync(outside, join(videos, "link.mp4"));
      return [join(videos, "text.mp4"), outside, join(videos, "link.mp4"), "../../../../etc/passwd", "gone.mp4"];
    });
    const { clips } = await collect([folder]);
    expect(clips.clips).toEqual([]);
    expect(clips.leftOut.map(({ reason }) => reason.replace(folder, "FOLDER"))).toEqual([
      "not an mp4 file",
      ...Array.from({ length: 4 }, () => "not found in FOLDER"),
    ]);
  });
});

it.skipIf(process.getuid?.() === 0)("a folder that cannot be read is named", async () => {
  const folder = temporaryFolder();
  chmodSync(folder, 0o000);
  await expect(collect([folder])).rejects.toThrow(/cannot be read \(EACCES/);
  chmodSync(folder, 0o700);
});

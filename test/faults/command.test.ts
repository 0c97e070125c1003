/** `reflow doctor`: what it prints, and its exit codes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { command } from "../../src/cli/commands/doctor.js";
import { CHECKS } from "../../src/doctor/index.js";
import { setNumThreads } from "../../src/torch/index.js";
import { runCommand } from "../commands/run-command.js";
import { DATASET, TEACHER, teacherWith, temporaryFolder } from "../runs/training-run.js";
import { editText, removeStatistics } from "./edit-policy.js";

const doctor = (...args: readonly string[]) => {
  setNumThreads(1);
  return runCommand(command, ["--policy.device=cpu", ...args]);
};

interface Report {
  readonly healthy: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly checks: readonly { id: string; title: string; verdict: string; evidence: string; remedy: string | null }[];
}

it("groups its lines by verdict and ends with 0 where nothing is wrong", async () => {
  const { code, out, err } = await doctor(`--teacher=${TEACHER}`, `--dataset.root=${DATASET}`);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^Right \(22\)\n {2}teacher-files +.* is whole: 863,448 parameters\n/);
  expect(out).toMatch(/\n\nNot looked at \(23\)\n {2}student-files +no student was given\n/);
  expect(out).not.toMatch(/Faults|Warnings/);
});

it("says what was expected, what was found and what to do, and ends with 1 for a fault", async () => {
  const student = teacherWith(removeStatistics);
  const { code, out } = await doctor(`--teacher=${TEACHER}`, `--student=${student}`);
  expect(code).toBe(1);
  expect(out).toMatch(
    /^Faults \(2\)\n {2}student-statistics\n {4}expected {2}The student's processors have statistics .*\n {4}found {5}missing: observation\.state\.mean .*\n {4}remedy {4}States reach/,
  );
  expect(out).toMatch(/\n\nNot looked at \(\d+\)\n(.*\n)* {2}same-statistics +see student-statistics\n/);
});

it("ends with 0 for a warning", async () => {
  const teacher = teacherWith((folder) => editText(join(folder, "config.json"), '"use_amp": false', '"use_amp": true'));
  const { code, out } = await doctor(`--teacher=${teacher}`);
  expect([code, out]).toEqual([0, expect.stringMatching(/^Warnings \(1\)\n {2}teacher-files\n/)]);
});

it("prints JSON alone, one entry per check in their order", async () => {
  const { code, out, err } = await doctor(`--teacher=${TEACHER}`, "--json");
  const { healthy, counts, checks } = JSON.parse(out) as Report;
  expect([code, err, healthy]).toEqual([0, "", true]);
  expect(checks.map(({ id }) => id)).toEqual(CHECKS.map(({ id }) => id));
  expect(counts).toEqual({ fault: 0, warning: 0, ok: 13, skipped: CHECKS.length - 13 });
  expect(checks[0]).toEqual({
    id: "teacher-files",
    title: "The teacher's folder holds a policy that can be loaded",
    verdict: "ok",
    evidence: expect.stringContaining("is whole"),
    remedy: null,
  });
});

it.each<[string, () => string, RegExp]>([
  ["that is not there", () => join(temporaryFolder(), "missing"), /missing/],
  ["that is empty", temporaryFolder, /got one without config\.json/],
  [
    "of another model",
    () => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, "config.json"), '{"type": "act"}');
      return folder;
    },
    /expected a policy of type "smolvla", got "act"/,
  ],
  [
    "without processors",
    () => {
      const folder = join(temporaryFolder(), "bare");
      mkdirSync(folder);
      writeFileSync(join(folder, "config.json"), '{"type": "smolvla"}');
      return folder;
    },
    /policy_preprocessor\.json|model\.safetensors/,
  ],
])("a teacher %s is a fault, not a failure", async (_, folder, evidence) => {
  const { code, out } = await doctor(`--teacher=${folder()}`, `--dataset.root=${DATASET}`, "--json");
  const faults = (JSON.parse(out) as Report).checks.filter(({ verdict }) => verdict === "fault");
  expect([code, faults.map(({ id }) => id)]).toEqual([1, ["teacher-files"]]);
  expect(faults[0]!.evidence).toMatch(evidence);
});

it("a dataset that is none is a fault", async () => {
  const { code, out } = await doctor(`--teacher=${TEACHER}`, `--dataset.root=${temporaryFolder()}`, "--json");
  const faults = (JSON.parse(out) as Report).checks.filter(({ verdict }) => verdict === "fault");
  expect([code, faults.map(({ id }) => id)]).toEqual([1, ["dataset-files"]]);
  expect(faults[0]!.evidence).toContain("expected a LeRobot dataset folder");
});

it("refuses arguments that make no sense, naming all of them", async () => {
  expect((await doctor()).code).toBe(2);
  const { code, out, err } = await doctor(
    `--teacher=${TEACHER}`,
    "--noises=1",
    "--observations=0",
    "--seed=-1",
    "--rename_map=[1]",
    "--dataset.revision=main",
  );
  expect([code, out]).toEqual([1, ""]);
  expect(err).toBe(
    "reflow doctor: 5 problems\n" +
      "  - --observations: expected a whole number of at least 1, got 0\n" +
      "  - --noises: expected a whole number of at least 2, got 1\n" +
      "  - --seed: expected a whole number of at least 0, got -1\n" +
      "  - --dataset.revision: expected --dataset.repo_id beside it, got none\n" +
      '  - --rename_map: expected names as {"dataset": "policy"}, got [1]\n',
  );
});

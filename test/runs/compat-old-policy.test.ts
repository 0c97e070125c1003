/** A policy of LeRobot up to 0.3, through every command that takes one. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { command as inspectCommand } from "../../src/cli/commands/inspect.js";
import { command as predictCommand } from "../../src/cli/commands/predict.js";
import { writeOldPolicy } from "../../src/policy/old-layout/testing/write-old-policy.js";
import { readProvenance } from "../../src/policy/provenance.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { hostArray } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { runCommand } from "../commands/run-command.js";
import { FIXTURE, rawBatch, recorded } from "../parity/fixture.js";
import { lastCheckpoint, RUNS, TEACHER, temporaryFolder, trainIn } from "./training-run.js";

const WARNING = "this policy has the layout of LeRobot up to 0.3 and was migrated in memory: its statistics";

let parent: string;
let old: string;
beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), "reflow-old-"));
  // A key that LeRobot does not know any more.
  old = await writeOldPolicy(join(parent, "old"), { config: { checkpoint_path: null } });
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

it("is inspected without faults, with its statistics and what was migrated", async () => {
  const { code, out } = await runCommand(inspectCommand, [old, "--json"]);
  expect(code).toBe(0);
  const report = JSON.parse(out);
  expect(report.faults).toEqual([]);
  expect(
    report.features.flatMap(({ missing_statistics: missing }: { missing_statistics: unknown[] }) => missing),
  ).toEqual([]);
  expect(report.warnings).toEqual([
    expect.stringContaining(WARNING),
    expect.stringMatching(/does not know checkpoint_path; left out, without effect$/),
  ]);
  const { out: ofTeacher } = await runCommand(inspectCommand, [TEACHER, "--json"]);
  expect(report.parameters).toEqual(JSON.parse(ofTeacher).parameters);
});

it("predicts what it predicts when it is loaded, and the command says what was migrated", async () => {
  const output = join(temporaryFolder(), "actions.safetensors");
  const { tasks, arrays } = await rawBatch();
  const { code, err } = await runCommand(predictCommand, [
    ...[`--policy.path=${old}`, "--policy.device=cpu", `--output=${output}`],
    `--observation=${FIXTURE}/parity/raw_batch.safetensors`,
    `--noise=${FIXTURE}/parity/forward.safetensors`,
    ...tasks.map((task) => `--task=${task}`),
  ]);
  expect(code).toBe(0);
  expect(err).toContain(WARNING);
  const policy = await SmolVLAPolicy.load(old, { device: "cpu" });
  onTestFinished(() => policy.dispose());
  const noise = (await recorded("parity/forward.safetensors")).get("noise")!;
  const { robotChunk } = policy.predict({ arrays, tasks }, { noise });
  expect((await readSafetensors(output)).get("robot_chunk")).toEqual(robotChunk);
});

it("teaches a student, which is saved in today's layout with the statistics that the teacher had", async () => {
  const folder = temporaryFolder();
  const reflow = RUNS.reflow.filter((flag) => !flag.startsWith("--policy.teacher_model_path"));
  const log = await trainIn(folder, ...reflow, `--policy.teacher_model_path=${old}`, "--steps=2");
  expect(log).toContain(WARNING);
  const student = join(lastCheckpoint(folder), "pretrained_model");
  expect(existsSync(join(student, "policy_preprocessor.json"))).toBe(true);
  expect((await readProvenance(student))?.teacher?.path).toBe(old);
  const policies = await Promise.all([student, old].map((path) => SmolVLAPolicy.load(path, { device: "cpu" })));
  onTestFinished(() => {
    for (const policy of policies) policy.dispose();
  });
  expect(policies[0]!.warnings).toEqual([]);
  expect(policies[0]!.processors).toEqual(policies[1]!.processors);
});

it("is trained on a dataset, whose statistics take the place of those that were never set", async () => {
  const unset = await writeOldPolicy(join(parent, "unset"), {
    tensors: (tensors) =>
      [...tensors].map(([name, array]) =>
        name.includes("buffer_")
          ? ([name, hostArray("float32", [3], new Float32Array(3).fill(Number.POSITIVE_INFINITY))] as const)
          : ([name, array] as const),
      ),
  });
  const folder = temporaryFolder();
  const flags = RUNS["flow matching"].filter((flag) => !flag.startsWith("--policy.path"));
  const log = await trainIn(folder, ...flags, `--policy.path=${unset}`, "--steps=1");
  expect(log).toContain("statistics of action, observation.state were never set and are left out");
  const trained = await SmolVLAPolicy.load(join(lastCheckpoint(folder), "pretrained_model"), { device: "cpu" });
  onTestFinished(() => trained.dispose());
  expect(trained.warnings).toEqual([]);
});

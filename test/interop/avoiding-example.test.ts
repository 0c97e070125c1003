/** The built-in world's example as a user runs it, cut short: dataset, pipeline, comparison, page; stock LeRobot acts as its last policy. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readComparison } from "../../src/compare/index.js";
import { collate, LeRobotDataset } from "../../src/data/index.js";
import { sampleNoise } from "../../src/flow/index.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { Generator, scope } from "../../src/torch/index.js";
import { largestDifference } from "../parity/fixture.js";
import { runPythonScript } from "./python-env.mjs";

const TIMEOUT_MS = 240_000;
const root = mkdtempSync(join(tmpdir(), "reflow-example-"));
afterAll(() => rmSync(root, { recursive: true }));

const [dataset, runs, compared, page] = ["dataset", "pipeline", "comparison", "report.html"].map((name) =>
  join(root, name),
) as [string, string, string, string];
const lastPolicy = join(runs, "03-distill", "checkpoints", "last");

const reflow = async (...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, ["dist/cli/main.js", ...args])).stdout;

beforeAll(async () => {
  await reflow(
    ...["make-dataset", "--env.type=avoiding", "--env.image_size=32", "--episodes=4", `--output=${dataset}`],
  );
  await reflow(
    ...["pipeline", "--config_path=examples/avoiding/pipeline.yaml", `--output_dir=${runs}`],
    ...[`--dataset.root=${dataset}`, `--stages.flow.policy.vlm_model_name=${resolve("examples/avoiding/base-vlm")}`],
    ...["--stages.flow.steps=3", "--stages.reflow.steps=2", "--stages.distill.steps=2", "--compare.num_observations=2"],
  );
  await reflow(
    ...["compare", `--policies=teacher=${join(runs, "01-flow")},one-step=${join(runs, "03-distill")}`],
    ...["--num_steps=1,2", `--dataset.root=${dataset}`, "--num_observations=2", "--num_noises=4", "--latency_calls=1"],
    ...["--reference_steps=3", "--path_steps=4", "--env.type=avoiding", "--env.image_size=32", "--eval.n_episodes=2"],
    `--output_dir=${compared}`,
  );
  await reflow("report", runs, compared, "-o", page);
}, TIMEOUT_MS);

it("the example's stages follow one another, and its policies are compared in the world and shown", async () => {
  const { status, policies, closedLoop } = await readComparison(join(compared, "comparison.json"));
  expect(status).toBe("complete");
  expect(policies.map(({ round, isDistilled }) => [round, isDistilled])).toEqual([
    [1, false],
    [2, true],
  ]);
  expect(closedLoop?.rows.map(({ policy, numSteps }) => [policy, numSteps])).toEqual([
    ["teacher", 1],
    ["teacher", 2],
    ["teacher", 10],
    ["one-step", 1],
    ["one-step", 2],
  ]);
  expect(existsSync(join(compared, closedLoop!.rows[0]!.videos[0]!))).toBe(true);
  expect(readFileSync(page, "utf8")).toContain("03-distill");
});

it(
  "stock LeRobot acts as the example's last policy",
  async () => {
    await using items = await LeRobotDataset.open({ root: dataset });
    const batch = collate([await items.item(0), await items.item(100)]);
    const noise = scope(() => {
      using generator = new Generator(1);
      return sampleNoise([2, 16, 2], generator).toHost();
    });
    const [observation, output] = [join(root, "observation.safetensors"), join(root, "chunk.safetensors")];
    const seen = Object.entries(batch.arrays).filter(
      ([name]) => name.startsWith("observation.") && !name.endsWith("is_pad"),
    );
    await writeSafetensors(
      observation,
      new Map([...seen, ["noise", noise] as [string, HostArray]].map(([name, array]) => [name, sourceOf(array)])),
    );
    // The policy's own number of steps, which LeRobot takes where nobody says otherwise.
    const { num_steps } = JSON.parse(readFileSync(join(lastPolicy, "pretrained_model", "config.json"), "utf8"));
    expect(num_steps).toBe(1);
    const jobs = [{ checkpoint: lastPolicy, observation, num_steps, output }];
    await runPythonScript("load_stages.py", ["--jobs", JSON.stringify(jobs), "--tasks", JSON.stringify(batch.tasks)], {
      cwd: root,
    });
    const policy = await SmolVLAPolicy.load(join(lastPolicy, "pretrained_model"), { device: "cpu" });
    const ours = policy.predict(batch, { noise });
    policy.dispose();
    const stock = (await readSafetensors(output)) as ReadonlyMap<string, HostArray>;
    expect(largestDifference(ours.chunk, stock.get("chunk")!)).toBeLessThan(5e-5);
    expect(largestDifference(ours.robotChunk, stock.get("robot_chunk")!)).toBeLessThan(5e-5);
  },
  TIMEOUT_MS,
);

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { command as mergeCommand } from "../../src/cli/commands/merge.js";
import { command as predictCommand } from "../../src/cli/commands/predict.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { FIXTURE, largestDifference, rawBatch } from "../parity/fixture.js";
import { largestRelativeDistance, policyOf, policyWeights, provenanceOf } from "../runs/run-results.js";
import { changedCopy, filesIn, RUNS, TEACHER, temporaryFolder, train, weightsOf } from "../runs/training-run.js";
import { type Output, runCommand } from "./run-command.js";

const LORA = ["--peft.r=4", "--peft.lora_alpha=8", "--steps=2"];

const merge = (adapter: string, output: string): Promise<Output> =>
  runCommand(mergeCommand, [adapter, `--output=${output}`]);

const adapterOf = (run: string): string => join(policyOf(run), "adapter");

async function merged(adapter: string): Promise<string> {
  const output = join(temporaryFolder(), "merged");
  expect(await merge(adapter, output)).toEqual({ code: 0, out: `${output}\n`, err: "" });
  return output;
}

const adapterWith = async (run: string, change: (json: Record<string, unknown>) => void): Promise<string> =>
  changedCopy(adapterOf(run), (copy) => {
    const path = join(copy, "adapter_config.json");
    const json = JSON.parse(readFileSync(path, "utf8"));
    change(json);
    writeFileSync(path, JSON.stringify(json));
  });

/** The chunk that `reflow predict` gives for the recorded observations and a seed. */
async function chunkOf(policy: string) {
  const output = join(temporaryFolder(), "out.safetensors");
  const { tasks } = await rawBatch();
  const { code, err } = await runCommand(predictCommand, [
    `--policy.path=${policy}`,
    "--policy.device=cpu",
    `--observation=${FIXTURE}/parity/raw_batch.safetensors`,
    `--output=${output}`,
    "--seed=3",
    ...tasks.map((task) => `--task=${task}`),
  ]);
  expect([code, err]).toEqual([0, ""]);
  return (await readSafetensors(output)).get("robot_chunk")!;
}

describe("reflow merge", () => {
  it.each([
    ["reflow", []],
    ["reflow", ["--ema.decay=0.5"]],
    ["reflow", ['--peft.full_training_modules=["action_out_proj"]', "--peft.use_rslora=true"]],
    ["flow matching", []],
  ] as const)("gives the policy that the run of the adapter saved: %s %j", async (kind, flags) => {
    const run = await train(...RUNS[kind], ...LORA, ...flags);
    const output = await merged(adapterOf(run));
    const [ours, theirs] = [await weightsOf(output), await policyWeights(run)];
    expect([...ours.keys()]).toEqual([...theirs.keys()]);
    expect(largestRelativeDistance(ours, theirs)).toBeLessThan(1e-6);
    expect(largestRelativeDistance(ours, await weightsOf(TEACHER))).toBeGreaterThan(1e-4);
    expect(JSON.parse(readFileSync(join(output, "reflow.json"), "utf8"))).toEqual(provenanceOf(run));
    expect(filesIn(output)).toEqual([...filesIn(TEACHER), "reflow.json"].sort());
    for (const file of filesIn(output).filter((name) => name.includes("processor"))) {
      expect(readFileSync(join(output, file)).equals(readFileSync(join(policyOf(run), file))), file).toBe(true);
    }
  });

  it("gives a policy that acts as the run's does, and so does the adapter itself", async () => {
    const run = await train(...RUNS.reflow, ...LORA);
    const expected = await chunkOf(run);
    expect(largestDifference(await chunkOf(await merged(adapterOf(run))), expected)).toBeLessThan(1e-5);
    expect(largestDifference(await chunkOf(adapterOf(run)), expected)).toBeLessThan(1e-5);
    expect(largestDifference(await chunkOf(TEACHER), expected)).toBeGreaterThan(1e-3);
  });

  it("gives a teacher for the next round", async () => {
    const run = await train(...RUNS.reflow, ...LORA);
    const output = await merged(adapterOf(run));
    const next = await train(...RUNS.reflow, `--policy.teacher_model_path=${output}`, "--steps=1");
    expect(provenanceOf(next)).toMatchObject({ k: 3, teacher: { k: 2, path: output } });
  });

  it("finds a base that is named from the adapter's folder", async () => {
    const run = await train(...RUNS.reflow, ...LORA);
    const folder = await adapterWith(run, (json) => {
      json.base_model_name_or_path = "../teacher";
    });
    mkdirSync(join(folder, "../teacher"));
    for (const file of filesIn(TEACHER))
      writeFileSync(join(folder, "../teacher", file), readFileSync(join(TEACHER, file)));
    // the base's own relative names lie beside it
    for (const file of filesIn(join(TEACHER, "../base-vlm"))) {
      mkdirSync(join(folder, "../base-vlm"), { recursive: true });
      writeFileSync(join(folder, "../base-vlm", file), readFileSync(join(TEACHER, "../base-vlm", file)));
    }
    expect(largestRelativeDistance(await weightsOf(await merged(folder)), await policyWeights(run))).toBeLessThan(1e-6);
  });
});

describe("reflow merge refuses", () => {
  const refused = async (adapter: string, message: string | RegExp): Promise<void> => {
    const output = join(temporaryFolder(), "merged");
    const { code, out, err } = await merge(adapter, output);
    if (typeof message === "string") expect(err).toBe(message);
    else expect(err).toMatch(message);
    expect([code, out, existsSync(output)]).toEqual([1, "", false]);
  };

  it("folders that are no adapter", async () => {
    const text =
      "expected an adapter (adapter_config.json and adapter_model.safetensors, no model.safetensors), got a folder that is none\n";
    await refused(TEACHER, `${TEACHER}: ${text}`);
  });

  it("to write over something", async () => {
    const run = await train(...RUNS.reflow, ...LORA);
    const folder = temporaryFolder();
    expect(await merge(adapterOf(run), folder)).toEqual({
      code: 1,
      out: "",
      err: `--output: expected a folder that does not exist, got ${folder}\n`,
    });
  });

  it("adapters without a base, with one that is not there, of another network, and in pieces", async () => {
    const run = await train(...RUNS.reflow, ...LORA);
    const withoutBase = await adapterWith(run, (json) => {
      json.base_model_name_or_path = null;
    });
    await refused(
      withoutBase,
      `${join(withoutBase, "adapter_config.json")}: expected base_model_name_or_path, got none. Name the policy there that the adapter was made for\n`,
    );
    const nowhere = await adapterWith(run, (json) => {
      json.base_model_name_or_path = "/nowhere/at/all";
    });
    await refused(nowhere, /\/nowhere\/at\/all/);
    const otherRank = await adapterWith(run, (json) => {
      json.r = 8;
    });
    await refused(
      otherRank,
      /lora_A\.weight": expected \[8, \d+\], got \[4, \d+\]\. Does the adapter belong to this policy\?\n$/,
    );
    const bare = await adapterWith(run, () => {});
    rmSync(join(bare, "adapter_model.safetensors"));
    await refused(bare, /adapter_model\.safetensors: file not found/);
  });

  it("an adapter that was trained on fresh weights, which no folder holds", async () => {
    const run = await train(...RUNS["flow matching of a new policy"], ...LORA);
    await refused(adapterOf(run), /expected base_model_name_or_path, got none/);
  });
});

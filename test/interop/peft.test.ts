/** LoRA adapters that cross between PEFT on stock LeRobot and this program, in both directions. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { addAdapter, loadAdapter, saveAdapter } from "../../src/smolvla/lora-adapter.js";
import { DEFAULT_LORA, LEROBOT_TARGETS, type LoraConfig } from "../../src/smolvla/lora-config.js";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { Generator, noGrad, normal_ } from "../../src/torch/index.js";
import { FIXTURE, largestDifference, loadTeacher, rawBatch, recorded } from "../parity/fixture.js";
import { runPythonScript } from "./python-env.mjs";

const TIMEOUT_MS = 240_000;
const TEACHER = resolve(FIXTURE, "teacher");
/** Of ten float32 solver steps in two programs. */
const TOLERANCE = 5e-5;

const small: LoraConfig = { ...DEFAULT_LORA, rank: 4, alpha: 6 };
const OURS: Readonly<Record<string, LoraConfig>> = {
  "on all of the expert": small,
  "on LeRobot's targets, rank-stabilised": { ...small, targetModules: LEROBOT_TARGETS, useRslora: true },
  "with a projection trained as a whole": { ...small, modulesToSave: ["state_proj"] },
  "on the language model as well": { ...small, targetModules: ["q_proj", "v_proj"] },
};
/** As LeRobot's own command takes them. */
const THEIRS: Readonly<Record<string, Record<string, unknown>>> = {
  "with LeRobot's defaults": {},
  "rank-stabilised, on the whole expert": {
    r: 8,
    lora_alpha: 5,
    use_rslora: true,
    target_modules: DEFAULT_LORA.targetModules,
  },
  "on all towers, with projections trained as a whole": {
    r: 3,
    target_modules: ["q_proj", "up_proj"],
    full_training_modules: ["state_proj", "action_in_proj"],
  },
};

const root = mkdtempSync(join(tmpdir(), "peft-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folderOf = (name: string): string => join(root, name.replaceAll(/\W+/g, "-"));
const outputOf = (name: string): string => `${folderOf(name)}.safetensors`;
const MERGED = folderOf("merged");

let raw: Awaited<ReturnType<typeof rawBatch>>;
let noise: HostArray;
/** Actions of our own adapters, computed here. */
const chunks = new Map<string, HostArray>();

const chunkOf = (policy: SmolVLAPolicy): HostArray => policy.predict(raw, { noise, numSteps: 10 }).chunk;

/** The teacher with an adapter, all of whose trained values were changed. */
async function adapted(config: LoraConfig): Promise<SmolVLAPolicy> {
  const policy = await loadTeacher();
  addAdapter(policy.model, config, new Generator(1));
  using generator = new Generator(2);
  for (const [name, parameter] of policy.model.namedParameters()) {
    const isWhole = config.modulesToSave.length > 0 && name.startsWith("expert.stateIn");
    if (name.endsWith(".lora.b") || isWhole) noGrad(() => normal_(parameter, 0, 0.1, generator));
  }
  return policy;
}

beforeAll(async () => {
  raw = await rawBatch();
  noise = (await recorded("parity/forward.safetensors")).get("noise")!;
  for (const [name, config] of Object.entries(OURS)) {
    const policy = await adapted(config);
    await saveAdapter(folderOf(name), policy.model, { base: TEACHER });
    if (config === small) await policy.save(MERGED);
    chunks.set(name, chunkOf(policy));
    policy.dispose();
  }
  const input = join(root, "observation.safetensors");
  const arrays = Object.entries({ ...raw.arrays, noise }).filter(([name]) => /^(observation\.|noise)/.test(name));
  await writeSafetensors(input, new Map(arrays.map(([name, array]) => [name, sourceOf(array)])));
  const given = ["--observation", input, "--tasks", JSON.stringify(raw.tasks)];
  const jobs = [...Object.keys(OURS), ...Object.keys(THEIRS)].map((name) => ({
    adapter: folderOf(name),
    output: outputOf(name),
    make: THEIRS[name],
  }));
  const run = (script: string, ...args: string[]) => runPythonScript(script, [...args, ...given], { cwd: FIXTURE });
  await run("peft_adapters.py", "--policy", TEACHER, "--jobs", JSON.stringify(jobs));
  await run("predict.py", "--policy", MERGED, "--output", outputOf("merged"));
}, TIMEOUT_MS);

async function teacher(): Promise<SmolVLAPolicy> {
  const policy = await loadTeacher();
  onTestFinished(() => policy.dispose());
  return policy;
}

describe("an adapter of ours", () => {
  it.each(Object.keys(OURS))(
    "%s is loaded by PEFT onto stock LeRobot's policy, and gives there the actions it gives here",
    async (name) => {
      const theirs = await readSafetensors(outputOf(name));
      expect(largestDifference(chunks.get(name)!, theirs.get("chunk")!)).toBeLessThanOrEqual(TOLERANCE);
      expect(largestDifference(chunks.get(name)!, chunkOf(await teacher()))).toBeGreaterThan(100 * TOLERANCE);
    },
  );

  it("that is merged into a saved policy is a plain policy for stock LeRobot, with the same actions", async () => {
    const theirs = await readSafetensors(outputOf("merged"));
    const ours = chunks.get("on all of the expert")!;
    expect(largestDifference(ours, theirs.get("chunk")!)).toBeLessThanOrEqual(TOLERANCE);
    const policy = await SmolVLAPolicy.load(MERGED, { device: "cpu", besides: [resolve(FIXTURE)] });
    onTestFinished(() => policy.dispose());
    expect(largestDifference(chunkOf(policy), ours)).toBeLessThanOrEqual(1e-5);
  });
});

describe("an adapter of LeRobot and PEFT", () => {
  it.each(Object.keys(THEIRS))(
    "%s gives here the actions it gives there, and is written again as it was",
    async (name) => {
      const theirs = await readSafetensors(outputOf(name));
      const policy = await teacher();
      const plain = chunkOf(policy);
      expect(await loadAdapter(folderOf(name), policy.model)).toMatchObject({ base: TEACHER });
      const ours = chunkOf(policy);
      expect(largestDifference(ours, theirs.get("chunk")!)).toBeLessThanOrEqual(TOLERANCE);
      expect(largestDifference(ours, theirs.get("merged_chunk")!)).toBeLessThanOrEqual(TOLERANCE);
      expect(largestDifference(ours, plain)).toBeGreaterThan(100 * TOLERANCE);

      const again = folderOf(`${name} again`);
      await saveAdapter(again, policy.model, { base: TEACHER });
      const file = "adapter_model.safetensors";
      expect(await readSafetensors(join(again, file))).toEqual(await readSafetensors(join(folderOf(name), file)));
    },
  );
});

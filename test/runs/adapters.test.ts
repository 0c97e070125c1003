/** Low-rank corrections in place of the weights themselves. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type HostArray, hostArray, numbersOf } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import {
  checkpointOf,
  completeResult,
  continueFrom,
  differingFiles,
  largestRelativeDistance,
  policyOf,
  policyWeights,
  provenanceOf,
} from "./run-results.js";
import {
  changedCopy,
  changedNames,
  DATASET,
  filesIn,
  RUNS,
  TEACHER,
  temporaryFolder,
  train,
  trainIn,
  tryTraining,
  weightsOf,
} from "./training-run.js";

const LORA = ["--peft.r=4", "--peft.lora_alpha=8"];
const PREFIX = "base_model.model.";
const IS_EXPERT_LAYER = /^model\.vlm_with_expert\.lm_expert\..*\.(q|k|v|o|gate|up|down)_proj\.weight$/;

type Weights = ReadonlyMap<string, HostArray>;

const adapterOf = (run: string, step?: number): Promise<Map<string, HostArray>> =>
  readSafetensors(join(policyOf(run, step), "adapter/adapter_model.safetensors"));

const adapterJson = (run: string) =>
  JSON.parse(readFileSync(join(policyOf(run), "adapter/adapter_config.json"), "utf8"));

/** `base + scaling * B @ A` for every layer that the adapter corrects, its whole modules in place of the base's. */
function merged(base: Weights, adapter: Weights, scaling: number): Weights {
  const whole = [...adapter].filter(([name]) => !name.includes(".lora_"));
  const result = new Map([...base, ...whole.map(([name, array]) => [name.slice(PREFIX.length), array] as const)]);
  for (const [name, a] of adapter) {
    if (!name.endsWith(".lora_A.weight")) continue;
    const layer = name.slice(PREFIX.length).replace(".lora_A.weight", ".weight");
    const b = adapter.get(name.replace("lora_A", "lora_B"))!;
    const [rank, numInputs] = a.shape as [number, number];
    const [A, B] = [numbersOf(a), numbersOf(b)];
    const values = numbersOf(base.get(layer)!).map((weight, i) => {
      const [row, column] = [Math.floor(i / numInputs), i % numInputs];
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += B[row * rank + r]! * A[r * numInputs + column]!;
      return weight + scaling * sum;
    });
    result.set(layer, hostArray("float32", base.get(layer)!.shape, Float32Array.from(values)));
  }
  return result;
}

describe("a run of an adapter", () => {
  it("changes A and B alone, and saves the base with their product added, in the base's layout", async () => {
    const run = await train(...RUNS.reflow, ...LORA, "--steps=3", "--save_freq=1");
    const base = await weightsOf(TEACHER);
    const expertLayers = [...base.keys()].filter((name) => IS_EXPERT_LAYER.test(name));
    for (const step of [1, 2, 3]) {
      const [policy, adapter] = [await policyWeights(run, step), await adapterOf(run, step)];
      expect([...adapter.keys()].sort()).toEqual(
        expertLayers
          .flatMap((name) => ["A", "B"].map((m) => `${PREFIX}${name.replace(/weight$/, `lora_${m}.weight`)}`))
          .sort(),
      );
      expect([...policy.keys()]).toEqual([...base.keys()]);
      expect(changedNames(base, policy)).toEqual(expertLayers);
      expect(largestRelativeDistance(policy, merged(base, adapter, 8 / 4))).toBeLessThan(1e-6);
    }
    const [first, last] = [await adapterOf(run, 1), await adapterOf(run, 3)];
    expect(changedNames(first, last)).toEqual([...first.keys()]);
    expect(adapterJson(run)).toMatchObject({
      r: 4,
      lora_alpha: 8,
      base_model_name_or_path: TEACHER,
      peft_type: "LORA",
    });
    expect(filesIn(policyOf(run)).filter((file) => !file.startsWith("adapter/"))).toEqual(
      [...filesIn(TEACHER), "reflow.json", "train_config.json"].sort(),
    );
    expect(provenanceOf(run)).toMatchObject({ k: 2, studentInit: "teacher" });
  });

  it("trains the layers and whole modules that it is told, with alpha equal to r, or divided by its root", async () => {
    const base = await weightsOf(TEACHER);
    const chosen = [
      String.raw`--peft.target_modules=model\.vlm_with_expert\.lm_expert\..*\.q_proj`,
      '--peft.full_training_modules=["action_out_proj"]',
    ];
    const expected = [...base.keys()].filter((name) => /lm_expert\..*\.q_proj\.weight|action_out_proj/.test(name));
    for (const [flags, scaling] of [
      [["--peft.r=2"], 1],
      [["--peft.r=4", "--peft.lora_alpha=3", "--peft.use_rslora=true"], 3 / 2],
    ] as const) {
      const run = await train(...RUNS.reflow, ...chosen, ...flags, "--steps=2");
      const policy = await policyWeights(run);
      expect(changedNames(base, policy)).toEqual(expected);
      expect(largestRelativeDistance(policy, merged(base, await adapterOf(run), scaling))).toBeLessThan(1e-6);
    }
    const list = await train(
      ...RUNS["flow matching"],
      "--peft.r=2",
      '--peft.target_modules=["action_in_proj","state_proj"]',
      "--steps=2",
    );
    expect(changedNames(base, await policyWeights(list))).toEqual(
      ["model.state_proj.weight", "model.action_in_proj.weight"].sort(
        (a, b) => [...base.keys()].indexOf(a) - [...base.keys()].indexOf(b),
      ),
    );
  });

  it("passes the step-0 gate in every kind of run, and says how little is trained", async () => {
    for (const flags of [RUNS.reflow, RUNS["flow matching"], RUNS["flow matching of a new policy"]]) {
      const folder = temporaryFolder();
      const log = await trainIn(folder, ...flags, ...LORA, "--steps=1");
      expect(log).toContain("step-0 gate: passed");
      const numTrained = [...(await adapterOf(folder)).values()].reduce((n, { shape }) => n + shape[0]! * shape[1]!, 0);
      expect(log).toContain(`num_learnable_params=${numTrained} (`);
    }
  });
});

const KINDS: Readonly<Record<string, readonly string[]>> = {
  reflow: RUNS.reflow,
  "reflow with an average": [...RUNS.reflow, "--ema.decay=0.5"],
  "reflow with a whole module": [...RUNS.reflow, '--peft.full_training_modules=["action_out_proj"]'],
  "flow matching": RUNS["flow matching"],
  "flow matching with an average": [...RUNS["flow matching"], "--ema.decay=0.5"],
  "flow matching of a new policy": RUNS["flow matching of a new policy"],
};

describe.each(Object.entries(KINDS))("an adapter in %s, continued", (kind, flags) => {
  const precisions = kind.startsWith("reflow") ? ["fp32", "bf16"] : ["fp32"];
  it.each(precisions)("is the unbroken run, bit by bit: %s", async (precision) => {
    const run = await train(...flags, ...LORA, "--steps=4", "--save_freq=2", `--precision=${precision}`);
    const files = Object.keys(completeResult(run)).map((file) => file.split("/").at(-1));
    expect(files).toContain("adapter_model.safetensors");
    expect(files.includes("reflow_averaged_weights.safetensors")).toBe(flags.includes("--ema.decay=0.5"));
    expect(differingFiles(await continueFrom(run, 2), run)).toEqual([]);
  });
});

describe("an adapter", () => {
  it("on another dataset than its base's is continued with the same statistics", async () => {
    const dataset = changedCopy(DATASET, (copy) => {
      const path = join(copy, "meta/stats.json");
      const stats = JSON.parse(readFileSync(path, "utf8"));
      stats.action.std = stats.action.std.map((value: number) => 2 * value);
      writeFileSync(path, JSON.stringify(stats));
    });
    const flags = [...RUNS["flow matching"], ...LORA, `--dataset.root=${dataset}`, "--steps=4", "--save_freq=2"];
    const run = await train(...flags);
    const continued = await continueFrom(run, 2, `--dataset.root=${dataset}`);
    expect(differingFiles(continued, run)).toEqual([]);
    for (const file of filesIn(policyOf(run)).filter((name) => /^policy_.*normalizer_processor/.test(name))) {
      expect(readFileSync(join(policyOf(continued), file)).equals(readFileSync(join(policyOf(run), file))), file).toBe(
        true,
      );
      expect(readFileSync(join(TEACHER, file)).equals(readFileSync(join(policyOf(run), file))), file).toBe(false);
    }
  });

  it("with an average is saved with the average of A and B, in the adapter and in the merged policy", async () => {
    const run = await train(...RUNS.reflow, ...LORA, "--ema.decay=0.5", "--steps=3");
    const state = join(checkpointOf(run), "training_state");
    const [averaged, trained] = [
      await readSafetensors(join(state, "reflow_averaged_weights.safetensors")),
      await readSafetensors(join(state, "reflow_trained_weights.safetensors")),
    ];
    const adapter = await adapterOf(run);
    const renamed = new Map([...adapter].map(([name, array]) => [name.slice(PREFIX.length), array]));
    expect([...averaged.keys()].sort()).toEqual([...renamed.keys()].sort());
    expect(changedNames(averaged, renamed)).toEqual([]);
    expect(changedNames(averaged, trained)).toEqual([...averaged.keys()]);
    expect(
      largestRelativeDistance(await policyWeights(run), merged(await weightsOf(TEACHER), adapter, 2)),
    ).toBeLessThan(1e-6);
  });
});

describe("an adapter is refused", () => {
  it.each<[string, readonly string[], string | RegExp]>([
    ["of rank 0", ["--peft.r=0"], "training config at peft.r: expected a number of at least 1, got 0\n"],
    ["with alpha 0", ["--peft.lora_alpha=0"], "training config at peft.lora_alpha: expected a number above 0, got 0\n"],
    [
      "of another kind",
      ["--peft.method_type=PREFIX_TUNING"],
      'training config at peft.method_type: expected "LORA", got "PREFIX_TUNING"\n',
    ],
    [
      "on layers that there are not",
      ['--peft.target_modules=["nowhere"]'],
      'adapter at target_modules: ["nowhere"] matches no layer\n',
    ],
    [
      "with a regular expression that is none",
      ["--peft.target_modules=lm_expert(.*"],
      /^adapter at target_modules: expected a regular expression, got "lm_expert\(\.\*" /,
    ],
    [
      "with whole modules that there are not",
      ['--peft.full_training_modules=["nowhere"]'],
      'adapter at modules_to_save: "nowhere" is the end of no module\'s name\n',
    ],
    [
      "on layers that the teacher looks through too",
      ['--peft.target_modules=["q_proj"]'],
      /^adapter at target_modules and modules_to_save: expected parts of the expert alone, because the vision-language model is shared with another policy, got "model\.vlm_with_expert\.vlm\./,
    ],
    [
      "beside training of all weights",
      ["--peft.r=4", "--policy.train_expert_only=false"],
      "training config at peft: expected nothing beside policy.train_expert_only=false, got an adapter. It corrects the expert alone\n",
    ],
  ])("%s", async (_, flags, message) => {
    const { code, err } = await tryTraining(temporaryFolder(), ...RUNS.reflow, "--steps=1", ...flags);
    const said = err.replace(/^(INFO|WARNING) .*\n/gm, "");
    if (typeof message === "string") expect(said).toBe(message);
    else expect(said).toMatch(message);
    expect(code).toBe(1);
  });

  it.each(["--policy.teacher_model_path", "--policy.path"])(
    "as %s, with the command that makes a policy of it",
    async (flag) => {
      const run = await train(...RUNS.reflow, ...LORA, "--steps=1");
      const adapter = join(policyOf(run), "adapter");
      const beside = changedCopy(adapter, (copy) => {
        mkdirSync(copy, { recursive: true });
        writeFileSync(join(copy, "config.json"), readFileSync(join(TEACHER, "config.json")));
      });
      for (const folder of [adapter, beside]) {
        const { code, err } = await tryTraining(temporaryFolder(), ...RUNS.reflow, `${flag}=${folder}`, "--steps=1");
        expect([code, err]).toEqual([1, expect.stringContaining(`reflow merge ${folder} --output=`)]);
      }
    },
  );
});

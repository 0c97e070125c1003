import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command } from "../../src/cli/commands/inspect.js";
import { CONVENTIONS, type Provenance, writeProvenance } from "../../src/policy/provenance.js";
import { toCheckpointName } from "../../src/smolvla/checkpoint-names.js";
import { parseSmolVLAConfig } from "../../src/smolvla/config.js";
import { describeSmolVLA } from "../../src/smolvla/load.js";
import { computeDtype } from "../../src/smolvla/precision.js";
import { SMOLVLM2_500M } from "../../src/smolvla/vlm-config.js";
import { type HostArray, zerosOnHost } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { FIXTURE } from "../parity/fixture.js";
import { type Output, runCommand } from "./run-command.js";

const TEACHER = `${FIXTURE}/teacher`;
const inspect = (...args: string[]): Promise<Output> => runCommand(command, args);

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "reflow-"));
});
afterAll(() => rmSync(root, { recursive: true }));

/** A copy of the teacher, beside a link to its vision-language model. */
function teacherCopy(): string {
  const folder = mkdtempSync(join(root, "policy-"));
  cpSync(TEACHER, join(folder, "teacher"), { recursive: true });
  symlinkSync(resolve(FIXTURE, "base-vlm"), join(folder, "base-vlm"));
  return join(folder, "teacher");
}

function replaceIn(path: string, from: string | RegExp, to: string): void {
  const text = readFileSync(path, "utf8");
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
}

/** Rewrites the weights of a policy folder. */
async function changeWeights(policy: string, change: (tensors: Map<string, HostArray>) => void): Promise<void> {
  const path = join(policy, "model.safetensors");
  const tensors = await readSafetensors(path);
  change(tensors);
  await writeSafetensors(path, new Map([...tensors].map(([name, array]) => [name, sourceOf(array)])));
}

/** What `--json` prints, as far as the tests look at it. */
interface Report {
  readonly folder: string;
  readonly parameters: {
    readonly total: number;
    readonly trainable: number;
    readonly parts: Readonly<Record<string, { readonly total: number; readonly trainable: number }>>;
  } | null;
  readonly weights_file: {
    readonly dtypes: Readonly<Record<string, { readonly tensors: number; readonly parameters: number }>>;
    readonly missing?: readonly string[];
    readonly unexpected?: readonly string[];
    readonly misshapen?: readonly unknown[];
  } | null;
  readonly features: readonly Readonly<Record<string, unknown>>[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly k: number | null;
  readonly provenance: Provenance | null;
  readonly processors: Readonly<Record<string, readonly string[]>>;
  readonly warnings: readonly string[];
  readonly faults: readonly string[];
}

async function report(policy: string): Promise<{ code: number; report: Report }> {
  const { code, out, err } = await inspect(policy, "--json");
  expect(err).toBe("");
  return { code, report: JSON.parse(out) as Report };
}

describe("reflow inspect", () => {
  it("describes a whole policy", async () => {
    const { code, out, err } = await inspect(TEACHER);
    expect([code, err]).toEqual([0, ""]);
    for (const part of [
      `folder   ${resolve(TEACHER)}\n`,
      "k        not recorded\n",
      "teacher  not recorded\n",
      /part +parameters +trainable\n/,
      /expert +[\d,]+ +[\d,]+\n/,
      /stored as float32 [\d,]+ in \d+ tensors \([\d,]+ bytes\)\n/,
      /input +observation\.state +\[3\] +MEAN_STD +mean, std: present\n/,
      /input +observation\.images\.top +\[3, 48, 64\] +IDENTITY +none needed\n/,
      /output +action +\[3\] +MEAN_STD +mean, std: present\n/,
      /chunk_size +10\n/,
      "policy_preprocessor\n",
      "tokenizer_processor: base-vlm, at most 24 tokens, padded to longest\n",
      "unnormalizer_processor: statistics of",
    ]) {
      expect(out).toMatch(part);
    }
    expect(out).not.toMatch(/Warnings|Faults/);
  });

  it("gives the same as JSON", async () => {
    const { code, report: json } = await report(TEACHER);
    expect(code).toBe(0);
    expect(json).toMatchObject({
      folder: resolve(TEACHER),
      weights_file: { missing: [], unexpected: [], misshapen: [] },
      settings: { chunk_size: 10, n_action_steps: 5, num_steps: 10, max_action_dim: 8, vlm_model_name: "base-vlm" },
      k: null,
      provenance: null,
      warnings: [],
      faults: [],
    });
    const { total, trainable, parts } = json.parameters!;
    expect(trainable).toBe(parts.expert!.total + parts.projections!.total);
    expect(total).toBe(Object.values(parts).reduce((sum, part) => sum + part.total, 0));
    expect(json.features.map(({ name, missing_statistics: missing }) => [name, missing])).toEqual([
      ["observation.state", []],
      ["observation.images.top", []],
      ["observation.images.wrist", []],
      ["action", []],
    ]);
    expect(json.processors.policy_postprocessor).toHaveLength(2);
  });

  it("counts 450,046,176 parameters of the published geometry, 99,880,992 of them trainable, from the header alone", async () => {
    const policy = teacherCopy();
    const geometry = { num_vlm_layers: 16, max_action_dim: 32, max_state_dim: 32 };
    const config = { ...JSON.parse(readFileSync(join(policy, "config.json"), "utf8")), ...geometry };
    config.vlm_model_name = resolve("test/fixtures/smolvlm2-500m-geometry");
    writeFileSync(join(policy, "config.json"), JSON.stringify(config));
    // A header and nothing behind it but a hole in the file.
    const parsed = parseSmolVLAConfig(config, "config.json");
    const network = describeSmolVLA(parsed, SMOLVLM2_500M);
    const header: Record<string, unknown> = {};
    let offset = 0;
    for (const [name, { shape, numElements }] of network.namedParameters()) {
      const isWide = computeDtype(name, "bf16", parsed) === "float32";
      const end = offset + numElements * (isWide ? 4 : 2);
      header[toCheckpointName(name)] = { dtype: isWide ? "F32" : "BF16", shape, data_offsets: [offset, end] };
      offset = end;
    }
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const file = join(policy, "model.safetensors");
    writeFileSync(file, Buffer.concat([length, json]));
    truncateSync(file, 8 + json.length + offset);

    const { code, report: found } = await report(policy);
    expect([code, found.faults]).toEqual([0, []]);
    expect(found.parameters).toEqual({
      total: 450_046_176,
      trainable: 99_880_992,
      parts: {
        vision: { total: 86_433_024, trainable: 0 },
        connector: { total: 11_796_480, trainable: 0 },
        text: { total: 204_626_880, trainable: 0 },
        lm_head: { total: 47_308_800, trainable: 0 },
        expert: { total: 98_245_840, trainable: 98_245_840 },
        projections: { total: 1_635_152, trainable: 1_635_152 },
      },
    });
    expect(offset).toBe(906_639_456);
    expect(found.weights_file!.dtypes).toMatchObject({ bfloat16: { tensors: 474 }, float32: { tensors: 26 } });
    expect((await inspect(policy)).out).toMatch(/total +450,046,176 +99,880,992\n/);

    replaceIn(join(policy, "config.json"), '"train_expert_only":true', '"train_expert_only":false');
    replaceIn(join(policy, "config.json"), '"freeze_vision_encoder":true', '"freeze_vision_encoder":false');
    expect((await report(policy)).report.parameters!.trainable).toBe(402_737_376);
    expect((await inspect(policy)).out).toContain("trainable as in LeRobot up to 0.6.0; from 0.6.1 on");
  });

  it("says which rectified flow a policy is, and of whom", async () => {
    const policy = teacherCopy();
    const provenance: Provenance = {
      format: 1,
      k: 2,
      objective: "reflow",
      step: 2000,
      conventions: CONVENTIONS,
      teacher: { path: "outputs/teacher", weightsSha256: "abc", k: 1 },
      pairs: { solver: "euler", numSteps: 10, paddedDims: "teacher" },
      statisticsSha256: "other",
      resourceFolders: [],
    };
    await writeProvenance(policy, provenance);
    const { report: json } = await report(policy);
    expect([json.k, json.provenance]).toEqual([2, provenance]);
    expect(json.warnings).toEqual([
      "the statistics in the processors are not those that reflow.json recorded: they were changed after training",
    ]);
    const { code, out } = await inspect(policy);
    expect(code).toBe(0);
    expect(out).toContain("k          2 (1 times straightened)\n");
    expect(out).toContain("objective  reflow, after 2,000 steps\n");
    expect(out).toContain("teacher    outputs/teacher (k 1, sha256 abc)\n");
    expect(out).toContain("pairs      euler, 10 steps, padded dimensions: teacher\n");
  });
});

describe("reflow inspect warns", () => {
  it("of statistics that are missing, by feature and step", async () => {
    const policy = teacherCopy();
    replaceIn(join(policy, "policy_preprocessor.json"), /,\s*"state_file": "[^"]*"/, "");
    const { code, out } = await inspect(policy);
    expect(code).toBe(0);
    const where = "policy_preprocessor step 5 (normalizer_processor)";
    expect(out).toContain(`MISSING mean in ${where}, std in ${where}\n`);
    expect(out).toContain(
      "Warnings\n  - statistics are missing for observation.state, action: states reach the network raw, or actions reach the " +
        "robot normalised. Only fine-tuning on a dataset gives them\n",
    );
  });

  it("of settings that have no effect", async () => {
    const policy = teacherCopy();
    replaceIn(join(policy, "config.json"), '"use_amp": false', '"use_amp": true');
    const { report: json } = await report(policy);
    expect(json.warnings).toEqual([
      "use_amp is true, but has no effect: the network runs in the precision it is given",
    ]);
  });
});

describe("reflow inspect finds faults and ends with exit code 1", () => {
  it("for tensors that are missing, unexpected or of another shape", async () => {
    const policy = teacherCopy();
    await changeWeights(policy, (tensors) => {
      tensors.delete("model.state_proj.bias");
      tensors.set("model.extra.weight", zerosOnHost("float32", [2]));
      tensors.set("model.action_in_proj.bias", zerosOnHost("float32", [3]));
    });
    const { code, report: json } = await report(policy);
    expect(code).toBe(1);
    expect(json.weights_file).toMatchObject({
      missing: ["model.state_proj.bias"],
      unexpected: ["model.extra.weight"],
      misshapen: [{ name: "model.action_in_proj.bias", expected: [72], got: [3] }],
    });
    expect(json.faults).toEqual([
      "model.safetensors: 1 tensor missing: model.state_proj.bias",
      "model.safetensors: 1 tensor that SmolVLA does not have: model.extra.weight",
      "model.safetensors: 1 tensor of another shape than the configuration gives: " +
        "model.action_in_proj.bias (expected [72], got [3])",
    ]);
    expect((await inspect(policy)).out).toContain("Faults\n  - model.safetensors: 1 tensor missing");
  });

  it("for many missing tensors, of which it names the first", async () => {
    const policy = teacherCopy();
    await changeWeights(policy, (tensors) => {
      for (const name of tensors.keys()) if (name.includes("_proj.bias")) tensors.delete(name);
    });
    const { report: json } = await report(policy);
    expect(json.faults[0]).toMatch(/^model\.safetensors: \d+ tensors missing: \S+, \S+, \S+ and \d+ more$/);
  });

  it.each<[string, (policy: string) => void, RegExp]>([
    ["weights", (policy) => unlinkSync(join(policy, "model.safetensors")), /model\.safetensors: file not found$/],
    [
      "whole weights",
      (policy) => truncateSync(join(policy, "model.safetensors"), 5000),
      /model\.safetensors: expected a safetensors header within the file's 5000 bytes/,
    ],
    [
      "a pre-processor",
      (policy) => unlinkSync(join(policy, "policy_preprocessor.json")),
      /policy_preprocessor\.json: file not found\. A policy saved before LeRobot 0\.4 keeps its normalisation elsewhere/,
    ],
    [
      "its vision-language model",
      (policy) => unlinkSync(join(policy, "../base-vlm")),
      /^model "base-vlm": expected a folder or a Hub id such as owner\/name, got neither\. Looked for /,
    ],
    [
      "an action and a state",
      (policy) => {
        const path = join(policy, "config.json");
        const config = JSON.parse(readFileSync(path, "utf8"));
        writeFileSync(path, JSON.stringify({ ...config, input_features: {}, output_features: {} }));
      },
      /^config\.json has no output feature "action"$/,
    ],
    [
      "a readable record of its origin",
      (policy) => writeFileSync(join(policy, "reflow.json"), '{"format": 2}'),
      /reflow\.json: \d problems\n {2}- format: expected 1, got 2/,
    ],
  ])("for a policy without %s, and reports the rest", async (_, damage, fault) => {
    const policy = teacherCopy();
    damage(policy);
    const { code, report: json } = await report(policy);
    expect(code).toBe(1);
    expect(json.faults[0]).toMatch(fault);
    expect(json.settings.chunk_size).toBe(10);
    expect((await inspect(policy)).out).toContain("Faults\n");
  });

  it("for what is no policy at all", async () => {
    expect(await inspect(`${FIXTURE}/base-vlm`)).toEqual({
      code: 1,
      out: "",
      err: expect.stringContaining('got that of a base model (model_type "smolvlm")'),
    });
    const policy = teacherCopy();
    replaceIn(join(policy, "config.json"), '"chunk_size": 10', '"chunk_size": "ten"');
    const { code, err } = await inspect(policy);
    expect([code, err]).toEqual([1, expect.stringContaining('at chunk_size: expected a number, got "ten"')]);
  });
});

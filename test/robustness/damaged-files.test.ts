/** What was found by damaging files at random: each of these once ended otherwise than with an error that names its place. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/all-commands.js";
import { runCommandLine } from "../../src/cli/command-line.js";
import { type PredictRequest, predictFile } from "../../src/cli/predict-file.js";
import { readRunSettings } from "../../src/cli/run-settings.js";
import { LeRobotDataset } from "../../src/data/index.js";
import { parsePythonJson } from "../../src/data/json-file.js";
import { resolveFolder } from "../../src/hub/resolve-folder.js";
import { readPolicyFiles } from "../../src/policy/policy-files.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { ConfigError } from "../../src/support/errors.js";
import { type HostArray, hostArray } from "../../src/support/host-array.js";
import { readJson } from "../../src/support/read-json.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { FIXTURE } from "../parity/fixture.js";
import {
  changedCopy,
  DATASET,
  lastCheckpoint,
  RUNS,
  teacherWith,
  temporaryFolder,
  train,
  tryTraining,
} from "../runs/training-run.js";

const edit = (file: string, change: (text: string) => string): void =>
  writeFileSync(file, change(readFileSync(file, "utf8")));

/** Sets one number of the first tensor that a pattern fits. */
async function spoil(file: string, pattern: RegExp, value: number): Promise<void> {
  const tensors = await readSafetensors(file);
  const [name, { shape, data }] = [...tensors].find(([key]) => pattern.test(key))!;
  const changed = Float32Array.from(data as Float32Array);
  changed[0] = value;
  const all = new Map<string, HostArray>([...tensors, [name, hostArray("float32", shape, changed)]]);
  await writeSafetensors(file, new Map([...all].map(([key, array]) => [key, sourceOf(array)])));
}

/** One step on the fixture's observations. */
const requestOf = (policyPath: string): PredictRequest => ({
  policyPath,
  observationPath: join(FIXTURE, "parity/raw_batch.safetensors"),
  outputPath: join(temporaryFolder(), "chunks.safetensors"),
  ...{ tasks: ["x"], noisePath: undefined, seed: 0, numSteps: 1, device: "cpu", precision: "fp32" },
});

describe("a safetensors file", () => {
  it("is read though its tensors do not begin at multiples of their size", async () => {
    const path = join(temporaryFolder(), "odd.safetensors");
    const json = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';
    for (const padding of [0, 1, 2, 3]) {
      const header = Buffer.from(json + " ".repeat(padding));
      const prefix = Buffer.alloc(8);
      prefix.writeBigUInt64LE(BigInt(header.length));
      writeFileSync(path, Buffer.concat([prefix, header, Buffer.from(Float32Array.of(1.5, -2).buffer)]));
      expect([...((await readSafetensors(path)).get("a")!.data as Float32Array)]).toEqual([1.5, -2]);
    }
  });
});

describe("JSON", () => {
  const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;

  it("of a hundred levels is read, of a hundred thousand refused with its file", async () => {
    const path = join(temporaryFolder(), "deep.json");
    writeFileSync(path, deep(99));
    await readJson(path);
    writeFileSync(path, deep(100_000));
    await expect(readJson(path)).rejects.toThrow(
      `${path}: expected JSON, got something else (it is nested more than 100 levels`,
    );
    expect(() => parsePythonJson(deep(100_000), path)).toThrow(
      `${path}: expected JSON, got a damaged file (it is nested`,
    );
  });

  it("of Python may hold a text of any length, and words that are no numbers in it", () => {
    const text = `${'long \\\\" NaN '.repeat(1_000_000)}`.replaceAll('\\\\"', '\\"');
    expect(parsePythonJson(`{"a": "${text}", "b": [NaN, -Infinity], "c": "\\\\"}`, "file")).toEqual({
      a: text.replaceAll('\\"', '"'),
      b: ["NaN", "-Infinity"],
      c: "\\",
    });
  });

  it("with thousands of faults is refused in a message that can be read", () => {
    const error = new ConfigError(
      "file",
      Array.from({ length: 5000 }, (_, i) => ({ path: `a.${i}`, message: "bad" })),
    );
    expect(error.problems).toHaveLength(5000);
    expect(error.message).toMatch(/^file: 5000 problems\n {2}- a\.0: bad\n/);
    expect(error.message.split("\n")).toHaveLength(32);
    expect(error.message).toMatch(/\n {2}- and 4970 more$/);
  });
});

describe("a policy's config.json", () => {
  it.each([
    ["chunk_size", '"chunk_size": 10', '"chunk_size": 100000', 4096],
    ["empty_cameras", '"empty_cameras": 0', '"empty_cameras": 1000000000', 64],
    ["num_steps", '"num_steps": 10', '"num_steps": 1000000000', 10_000],
    ["tokenizer_max_length", '"tokenizer_max_length": 24', '"tokenizer_max_length": 99999999', 8192],
  ])("that asks for more than any machine has is refused: %s", async (key, from, to, most) => {
    const folder = teacherWith((copy) => edit(join(copy, "config.json"), (text) => text.replace(from, to)));
    await expect(readPolicyFiles(folder)).rejects.toThrow(
      new RegExp(`config\\.json at ${key}: expected a number of at most ${most}, got \\d+$`),
    );
  });

  it("with pictures of a hundred thousand pixels' width too", async () => {
    const folder = teacherWith((copy) =>
      edit(join(copy, "config.json"), (text) => {
        const config = JSON.parse(text);
        return JSON.stringify({ ...config, resize_imgs_with_padding: [100_000, 64] });
      }),
    );
    await expect(readPolicyFiles(folder)).rejects.toThrow(
      "at resize_imgs_with_padding.0: expected a number of at most 4096",
    );
  });
});

describe("reflow predict", () => {
  it("writes no actions that are not numbers, and names the policy", async () => {
    const folder = teacherWith(() => {});
    await spoil(join(folder, "model.safetensors"), /action_out_proj\.bias/, Number.NaN);
    const request = requestOf(folder);
    await expect(predictFile(request)).rejects.toThrow(
      `${folder}: expected finite actions, got NaN or infinity, and nothing was written`,
    );
    expect(existsSync(request.outputPath)).toBe(false);
  });
});

describe("a dataset's info.json", () => {
  it("cannot make a file of some kilobytes take gigabytes", async () => {
    const root = changedCopy(DATASET, (copy) =>
      edit(join(copy, "meta/info.json"), (text) => {
        const info = JSON.parse(text);
        info.features.action.shape = [1_000_000_000];
        return JSON.stringify(info);
      }),
    );
    await using dataset = await LeRobotDataset.open({ root });
    // Several parts of the file are read at once: which one is the first to fail is left open.
    const refused = await dataset.item(0).catch((error: Error) => error.message);
    expect(refused).toContain(
      `${join(root, "data/chunk-000/file-000.parquet")}: expected action to be float32 [1000000000]`,
    );
    expect(refused).toMatch(/ in row \d+, got a list of 3$/);
  });
});

describe("a checkpoint to continue from", () => {
  const FLAGS = [...RUNS.reflow, "--steps=1", "--ema.decay=0.9"];
  const STATE = "training_state";
  const resume = async (change: (state: string) => void | Promise<void>): Promise<{ err: string; state: string }> => {
    const run = await train(...FLAGS);
    const state = join(lastCheckpoint(run), STATE);
    await change(state);
    const { code, err } = await tryTraining(run, "--resume=true", "--steps=2");
    expect(code).toBe(1);
    return { err: err.trimEnd().split("\n").at(-1)!, state };
  };

  it.each([
    ["reflow_trained_weights.safetensors", /action_out_proj/, "the value"],
    ["optimizer_state.safetensors", /exp_avg$/, "the first moment"],
  ])("that holds NaN is refused, not found out at the next loss: %s", async (file, pattern, what) => {
    const { err, state } = await resume((folder) => spoil(join(folder, file), pattern, Number.NaN));
    expect(err).toContain(`${state}: cannot be continued from (optim.restore: expected ${what} of "`);
    expect(err).toContain("in finite numbers, got NaN or infinity). Earlier checkpoints may be good");
  });

  it("whose parts are of other steps is refused", async () => {
    const { err, state } = await resume((folder) => writeFileSync(join(folder, "training_step.json"), '{"step": 0}'));
    expect(err).toContain(`${join(state, "reflow_health.json")}: expected what was known after step 0, got 1`);
  });

  it("whose settings are damaged is named as the place of the fault", async () => {
    const { err, state } = await resume((folder) =>
      edit(join(folder, "reflow_train_config.json"), (text) => text.replace('"batch_size"', '"batch_sizes"')),
    );
    const file = join(state, "reflow_train_config.json");
    expect(err).toContain(`${file}: training config at batch_sizes: unknown key. Did you mean "batch_size"?`);
    const run = join(state, "../../..");
    await expect(readRunSettings(["--resume=true", `--output_dir=${run}`, "--batch_size=3"])).rejects.toThrow(file);
  });
});

describe("a revision of a repository", () => {
  it.each(["../../outside", "/etc/outside", "a/../../b", "..", "a//b", "a\\b"])(
    "cannot write outside of the cache: %j",
    async (revision) => {
      await expect(resolveFolder({ nameOrPath: "owner/name", kind: "model", revision })).rejects.toThrow(
        `model "owner/name" at revision "${revision}": expected the name of a branch or tag, or a commit`,
      );
    },
  );
});

describe("an argument of a hundred thousand letters", () => {
  it.each([["inspect"], ["migrate"], ["help"], ["train", "--config_path"]])(
    "is not repeated whole: %s",
    async (...line) => {
      let err = "";
      const host = {
        version: () => "",
        write: () => {},
        writeError: (text: string) => {
          err += text;
        },
        isDebug: false,
      };
      expect(await runCommandLine([...line, "x".repeat(100_000)], COMMANDS, host)).toBeGreaterThan(0);
      expect(err).toMatch(/x{150,}\.\.\. \(\d+ letters\)/);
      expect(err.length).toBeLessThan(3000);
    },
  );
});

describe("a setting with a NUL in it", () => {
  it.each(["--policy.path", "--dataset.root"])("is refused with its name: %s", async (flag) => {
    await expect(readRunSettings([`${flag}="a\\0b"`])).rejects.toThrow(
      `command line, ${flag.slice(2).split(".")[0]} at ${flag.split(".")[1]}: expected a text without NUL, got "a\\u0000b"`,
    );
  });
});

describe("settings of a policy that do not go together", () => {
  it("are refused with their file: when it is loaded", async () => {
    const folder = teacherWith((copy) =>
      edit(join(copy, "config.json"), (text) =>
        text.replace(/"num_expert_layers": -?\d+/, '"num_expert_layers": 16777216'),
      ),
    );
    await expect(SmolVLAPolicy.load(folder, { device: "cpu" })).rejects.toThrow(
      `${join(folder, "config.json")}: smolvla at num_expert_layers: expected 4 `,
    );
  });

  it("are refused with their file: when it is to see an observation", async () => {
    const folder = teacherWith((copy) =>
      edit(join(copy, "config.json"), (text) => text.replace('"observation.state"', '"observation.states"')),
    );
    await expect(predictFile(requestOf(folder))).rejects.toThrow(
      `${join(folder, "config.json")}: policy config at input_features: expected the feature "observation.state"`,
    );
  });

  it("cannot ask for billions of layers", async () => {
    const folder = teacherWith((copy) =>
      edit(join(copy, "../base-vlm/config.json"), (text) =>
        text.replace('"num_hidden_layers": 8', '"num_hidden_layers": 4000000000'),
      ),
    );
    await expect(SmolVLAPolicy.load(folder, { device: "cpu" })).rejects.toThrow(
      "config.json at text_config.num_hidden_layers: expected a number of at most 1000, got 4000000000",
    );
  });
});

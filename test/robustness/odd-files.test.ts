/** Files that are not damaged at random, but made to be in the way: each of these once held the program up, or ended it. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { openArmsFolder } from "../../src/cli/arms/arms-folder.js";
import { parseOverrides, readSettings } from "../../src/cli/overrides.js";
import { openPipelineFolder } from "../../src/cli/pipeline/pipeline-folder.js";
import { predictFile } from "../../src/cli/predict-file.js";
import { decodeImageCell } from "../../src/data/image-cell.js";
import { LeRobotDataset } from "../../src/data/index.js";
import { readFileIfPresent } from "../../src/data/json-file.js";
import { createNodeAvBackend } from "../../src/data/node-av-backend.js";
import { ParquetFile } from "../../src/data/parquet-file.js";
import { writeParquet } from "../../src/data/testing/write-dataset.js";
import { loadTokenizer } from "../../src/policy/tokenizer.js";
import { readRecords } from "../../src/records/read-records.js";
import { addAdapter } from "../../src/smolvla/lora-adapter.js";
import { DEFAULT_LORA } from "../../src/smolvla/lora-config.js";
import { lockFolder } from "../../src/support/folder-lock.js";
import { hostArray } from "../../src/support/host-array.js";
import { readJson } from "../../src/support/read-json.js";
import { readSafetensors, readSafetensorsHeader, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { Generator } from "../../src/torch/index.js";
import { openPairFolder } from "../../src/train/pairs/pair-folder.js";
import { openRunFolder } from "../../src/train/run-folder.js";
import { FIXTURE, loadTeacher } from "../parity/fixture.js";
import { changedCopy, DATASET, TEACHER, temporaryFolder } from "../runs/training-run.js";

describe("in place of a file", () => {
  const READERS: Readonly<Record<string, (path: string) => unknown>> = {
    JSON: (path) => readJson(path),
    safetensors: (path) => readSafetensorsHeader(path),
    "a dataset's JSON": (path) => readFileIfPresent(path),
    parquet: (path) => ParquetFile.open(path),
    "an image": (path) => decodeImageCell({ path: "x" }, join(path, ".."), "cell"),
    "a video": async (path) => (await createNodeAvBackend()).open(path),
    records: (path) => readRecords(path),
    settings: (path) => readSettings([`--config_path=${path}`]),
    "a lock": async (path) => {
      symlinkSync("x", join(path, "../.lock"));
      lockFolder(join(path, ".."), { command: "test", activity: "in", option: "--x", kind: "test" });
    },
  };

  it.each(Object.keys(READERS))("a pipe or a device is refused, not waited for: %s", async (kind) => {
    for (const what of ["pipe", "device"]) {
      const path = join(temporaryFolder(), "x");
      if (what === "pipe") execFileSync("mkfifo", [path]);
      else symlinkSync("/dev/zero", path);
      await expect((async () => READERS[kind]!(path))()).rejects.toThrow(`expected a file, got a ${what}`);
    }
  });

  it("settings may come out of a pipe that is open, as a shell gives it", () => {
    const line = `exec node dist/cli/main.js train --config_path=<(echo 'steps: x')`;
    expect(() => execFileSync("bash", ["-c", line], { stdio: "pipe" })).toThrow(/steps: expected a [a-z ]+, got "x"/);
  });
});

describe("an output folder", () => {
  const MAKERS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    train: (path) => openRunFolder(path, { resume: false, overwrite: false }),
    pairs: openPairFolder,
    pipeline: openPipelineFolder,
    "lr-sweep": (path) => openArmsFolder("lr-sweep", path, false),
  };

  it.runIf(existsSync("/proc/self")).each(Object.keys(MAKERS))(
    "that cannot be made is refused, and not tried for ever: %s",
    async (command) => {
      await expect(MAKERS[command]!("/proc/nobody/folder")).rejects.toThrow(/^.*cannot be made \(ENOENT/);
    },
  );
});

describe("a safetensors file", () => {
  it("is read tensor by tensor, however large it is", async () => {
    const path = join(temporaryFolder(), "large.safetensors");
    const [a, b] = [hostArray("float32", [1], Float32Array.of(1)), hostArray("uint8", [1], Uint8Array.of(2))];
    await writeSafetensors(
      path,
      new Map([
        ["a", sourceOf(a)],
        ["b", sourceOf(b)],
      ]),
    );
    truncateSync(path, 5e9);
    const tensors = await readSafetensors(path);
    expect([...tensors.values()].map(({ data }) => data[0])).toEqual([1, 2]);
    expect([...(await readSafetensors(path, ["b", "c"])).keys()]).toEqual(["b"]);
  });

  it("may name a type as JavaScript names something else", async () => {
    const path = join(temporaryFolder(), "odd.safetensors");
    const header = Buffer.from('{"a":{"dtype":"constructor","shape":[0],"data_offsets":[0,0]}}');
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([prefix, header]));
    await expect(readSafetensors(path)).rejects.toThrow('tensor "a": expected a dtype of F64, F32,');
  });
});

describe("settings", () => {
  it("that lie in themselves are refused with their file", async () => {
    const path = join(temporaryFolder(), "settings.yaml");
    for (const text of ["rename_map: &x\n  a: *x\n", "dataset: &x {episodes: [*x, *x, *x, *x]}\n"]) {
      writeFileSync(path, text);
      await expect(readSettings([`--config_path=${path}`])).rejects.toThrow(
        /settings\.yaml.*: expected settings of at most 100 levels, got more$/,
      );
    }
  });

  it("with thousands of names in one are refused", () => {
    expect(() => parseOverrides([`--${"a.".repeat(60_000)}a=1`])).toThrow("expected a setting's name such as");
  });
});

describe("a picture of a kilobyte", () => {
  it("cannot take gigabytes", async () => {
    const small = await sharp({ create: { width: 2, height: 2, channels: 3, background: "black" } })
      .png()
      .toBuffer();
    const bytes = Buffer.from(small);
    bytes.writeUInt32BE(16_000, 16);
    bytes.writeUInt32BE(16_000, 20);
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
    await expect(decodeImageCell({ bytes }, "/", "cell")).rejects.toThrow(
      /^cell: expected a PNG or JPEG image, got one that cannot be decoded \(Input image exceeds pixel limit\)$/,
    );
  });
});

describe("a parquet file of a kilobyte", () => {
  it("cannot have millions of rows", async () => {
    const path = join(temporaryFolder(), "x.parquet");
    await writeParquet(path, [{ name: "x", dtype: "int64", depth: 0, rows: new Array(1_200_000).fill(7n) }]);
    await expect(ParquetFile.open(path)).rejects.toThrow(
      /x\.parquet: expected a complete parquet file, .*\(1200000 rows cannot be in \d{3,4} bytes\)/,
    );
  });
});

describe("an adapter", () => {
  it("whose pattern takes forever is refused with the setting", async () => {
    const { model } = await loadTeacher();
    expect(() => addAdapter(model, { ...DEFAULT_LORA, targetModules: "(.*.*.*.*)*x" }, new Generator(0))).toThrow(
      /adapter at target_modules: expected a regular expression, got ".*" \(it takes more than 2 s\)$/,
    );
  });
});

describe("a dataset's path template", () => {
  it("cannot ask for a name of a gigabyte", async () => {
    const root = changedCopy(DATASET, (copy) => {
      const path = join(copy, "meta/info.json");
      writeFileSync(path, readFileSync(path, "utf8").replace("{chunk_index:03d}", "{chunk_index:0999999999d}"));
    });
    await expect(LeRobotDataset.open({ root })).rejects.toThrow(
      `${join(root, "meta/info.json")} at data_path: expected placeholders among chunk_index, file_index, got {chunk_index:0999999999d}`,
    );
  });
});

describe("a tokenizer", () => {
  it("whose pattern takes forever is refused with its file", async () => {
    const folder = temporaryFolder();
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
      writeFileSync(join(folder, name), readFileSync(join(FIXTURE, "base-vlm", name)));
    }
    const path = join(folder, "tokenizer.json");
    const json = JSON.parse(readFileSync(path, "utf8"));
    json.pre_tokenizer = { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated", invert: false };
    writeFileSync(path, JSON.stringify(json));
    const tokenizer = await loadTokenizer(folder, 300);
    expect(() => tokenizer.encodeBatch([`${"a".repeat(50)}!`], { maxLength: 10, padding: "longest" })).toThrow(
      `${path}: cannot be used on the text "${"a".repeat(40)}..." (it takes more than 0.3 s)`,
    );
  });
});

describe("observations", () => {
  const predict = async (name: string, array: ReturnType<typeof hostArray>): Promise<unknown> => {
    const observationPath = join(temporaryFolder(), "observations.safetensors");
    const entries = await readSafetensors(join(FIXTURE, "parity/raw_batch.safetensors"));
    entries.set(name, array);
    await writeSafetensors(observationPath, new Map([...entries].map(([key, value]) => [key, sourceOf(value)])));
    return predictFile({
      ...{ policyPath: TEACHER, observationPath, outputPath: `${observationPath}.out`, tasks: ["x"] },
      ...{ noisePath: undefined, seed: 0, numSteps: 1, device: "cpu", precision: "fp32" },
    });
  };

  it("without a pixel are refused with their file", async () => {
    const empty = hostArray("uint8", [4, 3, 0, 5], new Uint8Array(0));
    await expect(predict("observation.images.top", empty)).rejects.toThrow(
      /observations\.safetensors: "observation\.images\.top": expected pictures of at least one pixel, got \[4, 3, 0, 5\]$/,
    );
  });

  it("with a mask of another shape too", async () => {
    const mask = hostArray("bool", [4, 7], new Uint8Array(28));
    await expect(predict("observation.images.top_padding_mask", mask)).rejects.toThrow(
      /observations\.safetensors: "observation\.images\.top_padding_mask": expected \[B\], one entry for each observation, got \[4, 7\]$/,
    );
  });
});

describe("the program", () => {
  const inShell = (line: string): string => {
    try {
      execFileSync("bash", ["-c", `program=$PWD/dist/cli/main.js; ${line}`], { stdio: ["ignore", "pipe", "pipe"] });
      return "";
    } catch (error) {
      return String((error as { stderr?: unknown }).stderr);
    }
  };

  it("says that its working directory is gone", () => {
    const err = inShell(`folder=$(mktemp -d); cd $folder; rmdir $folder; exec node $program inspect ${TEACHER}`);
    expect(err).toMatch(/^reflow: the working directory does not exist any more \(.*\)\. Change to another one\n$/);
  });

  it("says that its output cannot be written", () => {
    expect(inShell("exec node $program --help > /dev/full")).toMatch(
      /^reflow: the output cannot be written \(ENOSPC.*\)\n$/,
    );
  });

  it("refuses more steps of a solver than anybody waits for", async () => {
    const request = {
      policyPath: TEACHER,
      observationPath: join(FIXTURE, "parity/raw_batch.safetensors"),
      tasks: ["x"],
    };
    const rest = { noisePath: undefined, seed: 0, device: "cpu", precision: "fp32" } as const;
    const outputPath = join(temporaryFolder(), "out");
    await expect(predictFile({ ...request, ...rest, outputPath, numSteps: 2 ** 53 - 1 })).rejects.toThrow(
      "flow.euler: expected numSteps to be at most 10000, got 9007199254740991",
    );
  });
});

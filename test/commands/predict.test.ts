import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command } from "../../src/cli/commands/predict.js";
import { type HostArray, hostArray, numbersOf, numElements, zerosOnHost } from "../../src/support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { FIXTURE, largestDifference, rawBatch, recorded } from "../parity/fixture.js";
import { type Output, runCommand } from "./run-command.js";

const OBSERVATION = `${FIXTURE}/parity/raw_batch.safetensors`;
const NOISE = `${FIXTURE}/parity/forward.safetensors`;
const [STATE, TOP, WRIST] = ["observation.state", "observation.images.top", "observation.images.wrist"] as const;

let folder: string;
let raw: Awaited<ReturnType<typeof rawBatch>>;
let noise: HostArray;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "reflow-"));
  raw = await rawBatch();
  noise = (await recorded("parity/forward.safetensors")).get("noise")!;
});
afterAll(() => rmSync(folder, { recursive: true }));

const path = (name: string): string => join(folder, name);

/** A file of the recorded observation with some entries changed; undefined takes one out. */
async function fileWith(changes: Readonly<Record<string, HostArray | undefined>>): Promise<string> {
  const entries = Object.entries({ ...raw.arrays, ...changes }).flatMap(([name, array]) =>
    array === undefined ? [] : [[name, sourceOf(array)] as const],
  );
  const file = path(`observation-${Math.random()}.safetensors`);
  await writeSafetensors(file, new Map(entries));
  return file;
}

/** The teacher with some of its files changed. */
function teacherWith(change: (folder: string) => void): string {
  const copy = mkdtempSync(join(folder, "policy-"));
  cpSync(`${FIXTURE}/teacher`, join(copy, "teacher"), { recursive: true });
  cpSync(`${FIXTURE}/base-vlm`, join(copy, "base-vlm"), { recursive: true });
  change(join(copy, "teacher"));
  return join(copy, "teacher");
}

interface Flags {
  policy?: string;
  observation?: string;
  output?: string;
  tasks?: readonly string[];
  more?: readonly string[];
}

function predict(flags: Flags = {}): Promise<Output> {
  const { policy = `${FIXTURE}/teacher`, observation = OBSERVATION, output = path("out.safetensors") } = flags;
  return runCommand(command, [
    `--policy.path=${policy}`,
    "--policy.device=cpu",
    `--observation=${observation}`,
    `--output=${output}`,
    ...(flags.tasks ?? raw.tasks).map((task) => `--task=${task}`),
    ...(flags.more ?? []),
  ]);
}

/** The chunks of a run that must succeed. */
async function chunks(flags: Flags = {}): Promise<{ chunk: HostArray; robotChunk: HostArray; run: Output }> {
  const run = await predict(flags);
  expect(run.err).not.toContain("expected");
  expect(run.code).toBe(0);
  const written = await readSafetensors(flags.output ?? path("out.safetensors"));
  expect([...written.keys()]).toEqual(["chunk", "robot_chunk"]);
  return { chunk: written.get("chunk")!, robotChunk: written.get("robot_chunk")!, run };
}

describe("reflow predict", () => {
  it.each([1, 10])("gives stock LeRobot's chunks of %i steps within 5e-5, and says what it did", async (numSteps) => {
    const flags = { more: [`--noise=${NOISE}`, `--policy.num_steps=${numSteps}`] };
    const { chunk, robotChunk, run } = await chunks(flags);
    const forward = await recorded("parity/forward.safetensors");
    expect(largestDifference(chunk, forward.get(`chunk.${numSteps}`)!)).toBeLessThanOrEqual(5e-5);
    expect(largestDifference(robotChunk, forward.get(`robot_chunk.${numSteps}`)!)).toBeLessThanOrEqual(5e-5);
    expect(run.err).toBe("");
    expect(run.out).toContain(`/tiny-smolvla/teacher (Euler, num_steps ${numSteps}, cpu, fp32)\n`);
    expect(run.out).toContain(`observations  4 in ${OBSERVATION}, seen by ${TOP}, ${WRIST}\n`);
    expect(run.out).toContain(`noise         "noise" in ${NOISE}\n`);
    expect(run.out).toContain("chunk [4, 10, 3] normalised, robot_chunk [4, 10, 3] in the robot's units\n");
  });

  it("takes the noise of the observation file, the policy's own number of steps, and a run's folder", async () => {
    const run = path("run/checkpoints/last");
    mkdirSync(run, { recursive: true });
    cpSync(`${FIXTURE}/teacher`, join(run, "pretrained_model"), { recursive: true });
    cpSync(`${FIXTURE}/base-vlm`, join(run, "base-vlm"), { recursive: true });
    const observation = await fileWith({ noise });
    const output = await chunks({ policy: path("run"), observation });
    const expected = (await recorded("parity/forward.safetensors")).get("chunk.10")!;
    expect(largestDifference(output.chunk, expected)).toBeLessThanOrEqual(5e-5);
    expect(output.run.out).toContain(`noise         "noise" in ${observation}\n`);
  });

  it("draws noise from a seed: the same for the same seed, 0 by default", async () => {
    const first = await chunks();
    expect(first.run.out).toContain("noise         drawn from seed 0\n");
    const again = await chunks({ more: ["--seed=0"] });
    expect(largestDifference(again.chunk, first.chunk)).toBe(0);
    const other = await chunks({ more: ["--seed=1"] });
    expect(other.run.out).toContain("noise         drawn from seed 1\n");
    expect(largestDifference(other.chunk, first.chunk)).toBeGreaterThan(0.01);
  });

  it("reads uint8 frames and single observations, which are a batch of one", async () => {
    const bytes = (array: HostArray) => Uint8Array.from(array.data as Float32Array, (value) => Math.round(value * 255));
    const firstOf = (array: HostArray, shape: readonly number[]) =>
      hostArray("float32", shape, Float32Array.from(numbersOf(array).slice(0, numElements(shape))));
    const frames = { [TOP]: raw.arrays[TOP]!, [WRIST]: raw.arrays[WRIST]! };
    const whole = await fileWith(
      Object.fromEntries(Object.entries(frames).map(([k, v]) => [k, hostArray("uint8", v.shape, bytes(v))])),
    );
    const batch = await chunks({ observation: whole, more: [`--noise=${NOISE}`] });
    const expected = (await recorded("parity/forward.safetensors")).get("chunk.10")!;
    expect(largestDifference(batch.chunk, expected)).toBeLessThanOrEqual(5e-5);

    const single = path("single.safetensors");
    const entries = {
      [STATE]: firstOf(raw.arrays[STATE]!, [3]),
      [TOP]: firstOf(raw.arrays[TOP]!, [3, 48, 64]),
      [WRIST]: firstOf(raw.arrays[WRIST]!, [3, 48, 64]),
      noise: firstOf(noise, [1, 10, 8]),
    };
    await writeSafetensors(single, new Map(Object.entries(entries).map(([k, v]) => [k, sourceOf(v)])));
    const one = await chunks({ observation: single, tasks: [raw.tasks[0]!] });
    expect(one.chunk.shape).toEqual([1, 10, 3]);
    expect(largestDifference(one.chunk, firstOf(expected, [1, 10, 3]))).toBeLessThanOrEqual(5e-5);
  });

  it("gives one task to all observations", async () => {
    const [same] = raw.tasks as [string];
    const more = [`--noise=${NOISE}`, "--policy.num_steps=1"];
    const once = await chunks({ tasks: [same], more });
    const each = await chunks({ tasks: [same, same, same, same], more });
    expect(largestDifference(once.chunk, each.chunk)).toBe(0);
  });

  it("computes in bf16 when asked to, near the float32 result", async () => {
    const { chunk, run } = await chunks({ more: ["--precision=bf16", `--noise=${NOISE}`, "--policy.num_steps=1"] });
    expect(run.out).toContain("(Euler, num_steps 1, cpu, bf16)");
    const difference = largestDifference(chunk, (await recorded("parity/forward.safetensors")).get("chunk.1")!);
    expect(difference).toBeGreaterThan(1e-4);
    expect(difference).toBeLessThan(0.1);
  });

  it("knows cameras by the names that the policy renames", async () => {
    const policy = teacherWith((teacher) => {
      const file = join(teacher, "policy_preprocessor.json");
      const json = readFileSync(file, "utf8").replace(
        '"rename_map": {}',
        '"rename_map": {"observation.images.front": "observation.images.top"}',
      );
      writeFileSync(file, json);
    });
    const observation = await fileWith({ "observation.images.front": raw.arrays[TOP]!, [TOP]: undefined });
    const { chunk, run } = await chunks({ policy, observation, more: [`--noise=${NOISE}`, "--policy.num_steps=1"] });
    expect(run.out).toContain("observation.images.front");
    const expected = (await recorded("parity/forward.safetensors")).get("chunk.1")!;
    expect(largestDifference(chunk, expected)).toBeLessThanOrEqual(5e-5);
  });

  it("passes over cameras that the policy does not have, if all of its own are there", async () => {
    const observation = await fileWith({ "observation.images.side": raw.arrays[TOP]! });
    expect((await chunks({ observation })).run.err).toBe("");
  });

  it("makes the folders of its output and leaves nothing beside it", async () => {
    const output = path("new/folder/chunks.safetensors");
    await chunks({ output, more: ["--policy.num_steps=1"] });
    expect(readdirSync(path("new/folder"))).toEqual(["chunks.safetensors"]);
  });
});

describe("reflow predict warns", () => {
  it("of an empty task", async () => {
    const { run } = await chunks({ tasks: [], more: ["--policy.num_steps=1"] });
    expect(run.err).toBe("warning: no --task was given: the policy is told nothing to do (an empty text)\n");
  });

  it("of a seed that has no effect", async () => {
    const { run } = await chunks({ more: ["--seed=3", `--noise=${NOISE}`, "--policy.num_steps=1"] });
    expect(run.err).toBe(`warning: --seed has no effect: the noise is given, "noise" in ${NOISE}\n`);
  });

  it("of a camera that is missing", async () => {
    const observation = await fileWith({ [WRIST]: undefined });
    const { run } = await chunks({ observation, more: ["--policy.num_steps=1"] });
    expect(run.err).toBe(
      `warning: ${observation} has no ${WRIST}, which the policy was trained with: it sees less than it is used to\n`,
    );
  });

  it("of missing statistics and of settings without effect", async () => {
    const policy = teacherWith((teacher) => {
      const file = join(teacher, "policy_postprocessor.json");
      writeFileSync(file, readFileSync(file, "utf8").replace(/,\s*"state_file": "[^"]*"/, ""));
      const config = join(teacher, "config.json");
      writeFileSync(config, readFileSync(config, "utf8").replace('"compile_model": false', '"compile_model": true'));
    });
    const { run } = await chunks({ policy, more: ["--policy.num_steps=1"] });
    expect(run.err).toBe(
      "warning: compile_model is true, but has no effect: the network is not compiled\n" +
        "warning: the policy has no statistics for action: they pass un-normalised, so that robot_chunk may not be in the " +
        "robot's units. `reflow inspect` shows which are missing\n",
    );
  });
});

describe("reflow predict refuses", () => {
  const float = (shape: readonly number[], value = 0): HostArray => {
    const array = zerosOnHost("float32", shape);
    (array.data as Float32Array).fill(value);
    return array;
  };
  const withValue = (array: HostArray, index: number, value: number): HostArray => {
    const data = (array.data as Float32Array).slice();
    data[index] = value;
    return hostArray(array.dtype, array.shape, data);
  };

  it.each<[string, () => Readonly<Record<string, HostArray | undefined>>, string]>([
    [
      "noise of the robot's width",
      () => ({ noise: float([4, 10, 3]) }),
      "expected noise of shape [4, 10, 8], got [4, 10, 3]. Noise fills all 8 padded action dimensions (max_action_dim), " +
        "not only the robot's 3, because the network was trained with it there",
    ],
    [
      "noise for another number of observations",
      () => ({ noise: float([3, 10, 8]) }),
      "expected noise of shape [4, 10, 8], got [3, 10, 8]",
    ],
    [
      "noise of whole numbers",
      () => ({ noise: zerosOnHost("int32", [4, 10, 8]) }),
      "expected noise in float32, got int32",
    ],
    [
      "noise that is not finite",
      () => ({ noise: float([4, 10, 8], Number.NaN) }),
      "expected noise of finite numbers, got NaN or infinity among them",
    ],
    [
      "no state",
      () => ({ [STATE]: undefined, action: undefined }),
      'expected "observation.state", got only episode_index, frame_index, index, task_index, observation.images.top',
    ],
    [
      "a state of another width",
      () => ({ [STATE]: float([4, 7]) }),
      '"observation.state": expected [B, 3] or [B, 1, 3], got [4, 7]',
    ],
    [
      "a state of several steps",
      () => ({ [STATE]: float([4, 2, 3]) }),
      '"observation.state": expected [B, 3] or [B, 1, 3], got [4, 2, 3]',
    ],
    [
      "a state in 16 bits",
      () => ({ [STATE]: zerosOnHost("bfloat16", [4, 3]) }),
      '"observation.state": expected float32, got bfloat16',
    ],
    [
      "a state with NaN",
      () => ({ [STATE]: withValue(raw.arrays[STATE]!, 7, Number.NaN) }),
      '"observation.state": expected finite numbers, got NaN at [2, 1]',
    ],
    [
      "entries of different batch sizes",
      () => ({ [TOP]: float([3, 3, 48, 64]) }),
      "expected the same number of observations in all entries, got 4 in observation.state, 3 in observation.images.top, " +
        "4 in observation.images.wrist",
    ],
    [
      "images up to 255 as floats",
      () => ({ [TOP]: float([4, 3, 48, 64], 255) }),
      '"observation.images.top": expected float images in [0, 1], got values from 255 to 255. ' +
        "Divide by 255, or store the images as uint8",
    ],
    [
      "images with NaN",
      () => ({ [TOP]: withValue(raw.arrays[TOP]!, 5, Number.NaN) }),
      '"observation.images.top": expected float images in [0, 1], got NaN among them',
    ],
    [
      "images of whole numbers",
      () => ({ [TOP]: zerosOnHost("int32", [4, 3, 48, 64]) }),
      '"observation.images.top": expected uint8, or float32 in [0, 1], got int32',
    ],
    [
      "images with channels last",
      () => ({ [TOP]: float([4, 48, 64, 3]) }),
      '"observation.images.top": expected [B, 3, height, width], got [4, 48, 64, 3]. ' +
        "Move the channels before height and width",
    ],
    [
      "an unknown camera in place of the policy's",
      () => ({ [WRIST]: undefined, "observation.images.front": raw.arrays[WRIST]! }),
      "expected the policy's cameras observation.images.top, observation.images.wrist, " +
        "got observation.images.top, observation.images.front. Name them as the policy does",
    ],
    [
      "no camera",
      () => ({ [TOP]: undefined, [WRIST]: undefined }),
      "expected the policy's cameras observation.images.top, observation.images.wrist, got none",
    ],
    [
      "no observations",
      () => ({ [STATE]: float([0, 3]), [TOP]: float([0, 3, 48, 64]), [WRIST]: float([0, 3, 48, 64]) }),
      "expected at least one observation, got none",
    ],
  ])("%s", async (_, changes, message) => {
    const observation = await fileWith(changes());
    const output = path("refused.safetensors");
    const { code, out, err } = await predict({ observation, output });
    expect(err).toContain(`${observation}: ${message}`);
    expect([code, out, existsSync(output)]).toEqual([1, "", false]);
  });

  it.each<[string, () => Flags, string | RegExp]>([
    [
      "a number of tasks that is neither one nor the batch's",
      () => ({ tasks: ["a", "b"] }),
      "--task: expected one task, or one for each of 4 observations, got 2\n",
    ],
    [
      "numbers of steps and seeds below their lowest, both at once",
      () => ({ more: ["--policy.num_steps=0", "--seed=-1"] }),
      "reflow predict: 2 problems\n" +
        "  - --policy.num_steps: expected a whole number of at least 1, got 0\n" +
        "  - --seed: expected a whole number of at least 0, got -1\n",
    ],
    [
      "a folder as its output",
      () => ({ output: folder }),
      /^reflow predict at --output: expected a file, got a folder or device \(/,
    ],
    [
      "to write over what it reads",
      () => ({ output: `./${OBSERVATION}` }),
      "reflow predict at --output: expected a file of its own, got one that is read (./test/",
    ],
    [
      "an output that cannot be written",
      () => ({ output: `${OBSERVATION}/x/out.safetensors`, more: ["--policy.num_steps=1"] }),
      /^--output: expected a file that can be written, got .* \(ENOTDIR/,
    ],
    [
      "a missing observation file",
      () => ({ observation: path("none.safetensors") }),
      /none\.safetensors: file not found\n$/,
    ],
    [
      "an observation file of another kind",
      () => ({ observation: "package.json" }),
      /^package\.json: expected a safetensors header/,
    ],
    ["a missing noise file", () => ({ more: ["--noise=nowhere"] }), "nowhere: file not found\n"],
    [
      "a noise file without noise",
      () => ({ more: [`--noise=${OBSERVATION}`] }),
      `${OBSERVATION}: expected a tensor "noise", got only episode_index, `,
    ],
    [
      "a policy folder without weights",
      () => ({ policy: teacherWith((teacher) => rmSync(join(teacher, "model.safetensors"))) }),
      /teacher\/model\.safetensors: file not found/,
    ],
    [
      "a policy folder without processors",
      () => ({ policy: teacherWith((teacher) => rmSync(join(teacher, "policy_preprocessor.json"))) }),
      /policy_preprocessor\.json: file not found\. A policy saved before LeRobot 0\.4 keeps its normalisation elsewhere/,
    ],
    ["a base model", () => ({ policy: `${FIXTURE}/base-vlm` }), /got that of a base model \(model_type "smolvlm"\)/],
    [
      "a device that is not there",
      () => ({ more: ["--policy.device=cuda:9"] }),
      /policy\.device: expected a device this libtorch can use \(.*\), got "cuda:9"/,
    ],
  ])("%s", async (_, flags, message) => {
    const { code, err } = await predict(flags());
    expect(code).toBe(1);
    if (typeof message === "string") expect(err.slice(0, message.length)).toBe(message);
    else expect(err).toMatch(message);
  });

  it("flags that are missing or unknown, with exit code 2", async () => {
    const { code, err } = await runCommand(command, ["--policy.path=x", "--observation=y"]);
    expect([code, err]).toEqual([2, expect.stringContaining("required option '--output <file>' is missing")]);
    const unknown = await predict({ more: ["--precision=fp16"] });
    expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining("Expected one of fp32, bf16.")]);
  });

  it("without having written anything: an older output stays as it was", async () => {
    const output = path("kept.safetensors");
    await chunks({ output, more: ["--policy.num_steps=1"] });
    const before = readFileSync(output);
    const observation = await fileWith({ [STATE]: float([4, 7]) });
    expect((await predict({ output, observation })).code).toBe(1);
    expect(readFileSync(output).equals(before)).toBe(true);
    expect(numbersOf((await readSafetensors(output)).get("chunk")!).every(Number.isFinite)).toBe(true);
  });
});

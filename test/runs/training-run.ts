/** Training runs on the tiny fixture, through the real command: in this process, or in one of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, vi } from "vitest";
import { command } from "../../src/cli/commands/train.js";
import { bytesOf, type HostArray } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { setNumThreads } from "../../src/torch/index.js";
import { runCommand } from "../commands/run-command.js";
import { FIXTURE } from "../parity/fixture.js";

export const TEACHER = resolve(FIXTURE, "teacher");
export const BASE_VLM = resolve(FIXTURE, "base-vlm");
export const DATASET = resolve(FIXTURE, "dataset-v3.0");

const COMMON = [
  "--policy.device=cpu",
  "--batch_size=2",
  "--num_workers=0",
  "--policy.optimizer_lr=1e-3",
  "--policy.scheduler_warmup_steps=0",
  "--eval_freq=0",
];

/** Flags of the kinds of runs there are. */
export const RUNS = {
  reflow: [
    ...COMMON,
    "--policy.use_reflow=true",
    `--policy.teacher_model_path=${TEACHER}`,
    "--policy.reflow_num_inference_steps=2",
  ],
  "flow matching": [...COMMON, `--policy.path=${TEACHER}`],
  "flow matching of all weights": [
    ...COMMON,
    `--policy.path=${TEACHER}`,
    "--policy.train_expert_only=false",
    "--policy.freeze_vision_encoder=false",
  ],
  "flow matching of a new policy": [
    ...COMMON,
    "--policy.type=smolvla",
    `--policy.vlm_model_name=${BASE_VLM}`,
    "--policy.load_vlm_weights=true",
    "--policy.chunk_size=6",
    "--policy.n_action_steps=3",
    "--policy.max_state_dim=8",
    "--policy.max_action_dim=8",
    "--policy.num_vlm_layers=2",
    "--policy.resize_imgs_with_padding=[64,64]",
    "--policy.tokenizer_max_length=24",
  ],
} as const;

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "reflow-run-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A changed copy of a folder, beside what it names relatively. */
export function changedCopy(folder: string, change: (copy: string) => void): string {
  const copy = join(temporaryFolder(), "copy");
  cpSync(folder, copy, { recursive: true });
  change(copy);
  return copy;
}

/** The teacher with some of its files changed, beside its base model. */
export const teacherWith = (change: (folder: string) => void): string =>
  changedCopy(TEACHER, (copy) => {
    cpSync(BASE_VLM, join(copy, "..", "base-vlm"), { recursive: true });
    change(copy);
  });

export interface Ended {
  readonly code: number | null;
  readonly err: string;
}

/** Runs `reflow train` in this process, to its end. The dataset is the fixture unless the flags name another. */
export async function tryTraining(folder: string, ...flags: readonly string[]): Promise<Ended> {
  setNumThreads(1);
  let log = "";
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    log += String(text);
    return true;
  });
  try {
    const { code, err } = await runCommand(command, [`--dataset.root=${DATASET}`, ...flags, `--output_dir=${folder}`]);
    return { code, err: log + err };
  } finally {
    stderr.mockRestore();
  }
}

/** The same for a run that must succeed. @returns its folder */
export async function train(...flags: readonly string[]): Promise<string> {
  const folder = temporaryFolder();
  await trainIn(folder, ...flags);
  return folder;
}

export async function trainIn(folder: string, ...flags: readonly string[]): Promise<string> {
  const { code, err } = await tryTraining(folder, ...flags);
  expect(err).toMatch(/End of training\n$/);
  expect(code).toBe(0);
  return err;
}

/** A run in a process of its own, from the compiled program. */
export interface Process {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** resolves when its log contains a text */
  readonly logged: (text: string) => Promise<void>;
}

export function startProcess(folder: string, flags: readonly string[], shellPrefix = ""): Process {
  const args = ["dist/cli/main.js", "train", `--dataset.root=${DATASET}`, ...flags, `--output_dir=${folder}`];
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  const child = spawn("bash", ["-c", `${shellPrefix} exec "$0" "$@"`, process.execPath, ...args], { env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let err = "";
  const waiting = new Set<() => void>();
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    for (const check of waiting) check();
  });
  const ended = new Promise<Ended>((done) => child.on("close", (code) => done({ code, err })));
  const logged = (text: string): Promise<void> =>
    new Promise((done, fail) => {
      const check = (): void => {
        if (!err.includes(text)) return;
        waiting.delete(check);
        done();
      };
      waiting.add(check);
      check();
      void ended.then(() => fail(new Error(`the process ended before it logged "${text}":\n${err}`)));
    });
  return { child, ended, logged };
}

export const lastCheckpoint = (folder: string): string => join(folder, "checkpoints", "last");

const RESULTS = ["pretrained_model/model.safetensors", "training_state/optimizer_state.safetensors"];

/** Weights, moments and numbers of updates of a run's last checkpoint, as bytes. */
export const resultOf = (folder: string): Buffer =>
  Buffer.concat(RESULTS.map((file) => readFileSync(join(lastCheckpoint(folder), file))));

/** The weights of a policy folder or of a run's last checkpoint. */
export const weightsOf = (policyFolder: string): Promise<Map<string, HostArray>> =>
  readSafetensors(join(policyFolder, "model.safetensors"));

export const trainedWeights = (folder: string): Promise<Map<string, HostArray>> =>
  weightsOf(join(lastCheckpoint(folder), "pretrained_model"));

/** Names of the tensors whose bytes differ. */
export const changedNames = (a: ReadonlyMap<string, HostArray>, b: ReadonlyMap<string, HostArray>): string[] =>
  [...a.keys()].filter((name) => Buffer.compare(bytesOf(a.get(name)!), bytesOf(b.get(name)!)) !== 0);

/** All files below a folder, sorted. */
export const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

/** Pair sets of the tiny fixture, made by the real command: in this process, or in one of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, vi } from "vitest";
import { command } from "../../src/cli/commands/pairs.js";
import { setNumThreads } from "../../src/torch/index.js";
import type { PairManifest } from "../../src/train/pairs/pair-manifest.js";
import { runCommand } from "../commands/run-command.js";
import { DATASET, type Ended, filesIn, TEACHER, temporaryFolder } from "./training-run.js";

/** Small sets: 82 frames of two episodes with a task each, in five shards of several batches. */
export const PAIRS = [
  `--policy.path=${TEACHER}`,
  `--dataset.root=${DATASET}`,
  "--dataset.episodes=[0,1]",
  "--policy.device=cpu",
  "--num_workers=0",
  "--batch_size=8",
  "--policy.reflow_num_inference_steps=2",
  "--num_noises_per_observation=2",
  "--frames_per_shard=20",
];

/** Runs `reflow pairs` in this process, to its end. */
export async function tryPairs(...flags: readonly string[]): Promise<Ended> {
  setNumThreads(1);
  let log = "";
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    log += String(text);
    return true;
  });
  try {
    const { code, err } = await runCommand(command, flags);
    return { code, err: log + err };
  } finally {
    stderr.mockRestore();
  }
}

/** The same for one that must succeed. @returns its folder */
export async function makePairSet(...flags: readonly string[]): Promise<string> {
  const folder = join(temporaryFolder(), "pairs");
  await makePairsIn(folder, ...flags);
  return folder;
}

/** @returns what it logged */
export async function makePairsIn(folder: string, ...flags: readonly string[]): Promise<string> {
  const { code, err } = await tryPairs(...PAIRS, `--output=${folder}`, ...flags);
  expect(err).toContain(`reflow train --reflow.pairs=${folder}\n`);
  expect(code).toBe(0);
  return err;
}

export const manifestOf = (folder: string): PairManifest =>
  JSON.parse(readFileSync(join(folder, "pairs.json"), "utf8")) as PairManifest;

/** The bytes of all files of a set, by their names. */
export const bytesOfSet = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(filesIn(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]));

/** `reflow pairs` in a process of its own, from the compiled program. */
export function startPairs(
  flags: readonly string[],
  shellPrefix = "",
): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  const args = ["-c", `${shellPrefix} exec "$0" "$@"`, process.execPath, "dist/cli/main.js", "pairs", ...flags];
  const child = spawn("bash", args, { env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return { child, ended: new Promise((done) => child.on("close", (code) => done({ code, err }))) };
}

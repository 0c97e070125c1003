/** Pipelines on the tiny fixture, through the real command: in this process, or in one of their own. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, vi } from "vitest";
import { command } from "../../src/cli/commands/pipeline.js";
import { setNumThreads } from "../../src/torch/index.js";
import { runCommand } from "../commands/run-command.js";
import { BASE_VLM, DATASET, type Ended, lastCheckpoint } from "./training-run.js";

export type Json = Record<string, unknown>;

/** From a base model to a distilled 3-RF, with as few steps as can be interrupted. */
export const SETTINGS = {
  dataset: { root: DATASET },
  batch_size: 2,
  num_workers: 0,
  save_freq: 1,
  log_freq: 1,
  held_out: { num_observations: 1, num_noises: 2, reference_steps: 1 },
  policy: {
    device: "cpu",
    type: "smolvla",
    vlm_model_name: BASE_VLM,
    load_vlm_weights: true,
    chunk_size: 6,
    n_action_steps: 3,
    max_state_dim: 8,
    max_action_dim: 8,
    num_vlm_layers: 2,
    resize_imgs_with_padding: [64, 64],
    tokenizer_max_length: 24,
    optimizer_lr: 1e-3,
    scheduler_warmup_steps: 0,
    reflow_num_inference_steps: 2,
  },
  stages: [
    { name: "flow", kind: "flow_matching", steps: 3 },
    { name: "straight", kind: "reflow", steps: 3 },
    { name: "fast", kind: "distill", steps: 2 },
  ],
  compare: { num_steps: [1, 2], num_observations: 2, num_noises: 2, reference_steps: 4 },
} as const;

export const STAGES = ["01-flow", "02-straight", "03-fast"] as const;

/** A file of settings in a folder. JSON is YAML too. */
export function settingsFile(folder: string, settings: Json = SETTINGS): string {
  const path = join(folder, "pipeline-settings.yaml");
  writeFileSync(path, JSON.stringify(settings));
  return path;
}

export interface Output extends Ended {
  readonly out: string;
}

/** Runs `reflow pipeline` in this process, to its end. */
export async function tryPipeline(...flags: readonly string[]): Promise<Output> {
  setNumThreads(1);
  let log = "";
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    log += String(text);
    return true;
  });
  try {
    const { code, out, err } = await runCommand(command, flags);
    return { code, out, err: log + err };
  } finally {
    stderr.mockRestore();
  }
}

/** The same for a pipeline that must succeed. */
export async function pipeline(...flags: readonly string[]): Promise<Output> {
  const output = await tryPipeline(...flags);
  expect(output.err).not.toMatch(/failed|internal:/);
  expect(output.code).toBe(0);
  return output;
}

/** A pipeline in a process of its own, from the compiled program, that gets a signal as soon as its log says something. */
export async function pipelineUntil(text: string, signal: NodeJS.Signals, flags: readonly string[]): Promise<Output> {
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  const child = spawn(process.execPath, ["dist/cli/main.js", "pipeline", ...flags], { env });
  onTestFinished(() => void child.kill("SIGKILL"));
  setPriority(child.pid!, 19); // so that on a busy machine it does not run away from the one that watches it
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    out += more;
  });
  child.stderr.setEncoding("utf8").on("data", (more: string) => {
    const wasSaid = err.includes(text);
    err += more;
    if (!wasSaid && err.includes(text)) child.kill(signal);
  });
  const code = await new Promise<number | null>((done) => child.on("close", done));
  expect(err).toContain(text);
  return { code, out, err };
}

/** The last checkpoints' weights and moments of a pipeline's stages, as bytes. */
export const resultsOf = (folder: string): readonly Buffer[] =>
  STAGES.flatMap((stage) =>
    ["pretrained_model/model.safetensors", "training_state/optimizer_state.safetensors"].map((file) =>
      readFileSync(join(lastCheckpoint(join(folder, stage)), file)),
    ),
  );

export const jsonIn = (...path: readonly string[]): Json => JSON.parse(readFileSync(join(...path), "utf8")) as Json;

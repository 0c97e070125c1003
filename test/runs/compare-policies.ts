/** A tiny teacher of the built-in world, students of it, and their comparison through the real command. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { command as compare } from "../../src/cli/commands/compare.js";
import { command as makeDataset } from "../../src/cli/commands/make-dataset.js";
import { setNumThreads } from "../../src/torch/index.js";
import { runCommand } from "../commands/run-command.js";
import { BASE_VLM, trainIn } from "./training-run.js";

export interface Policies {
  /** six episodes */
  readonly dataset: string;
  /** run of flow matching on all episodes */
  readonly teacher: string;
  /** run of a reflow that has held out two episodes */
  readonly student: string;
  /** the student's policy, said to be trained for one step */
  readonly distilled: string;
}

/** Makes them all below a folder. */
export async function makePolicies(folder: string): Promise<Policies> {
  const [dataset, teacher, student, distilled] = ["dataset", "teacher", "student", "distilled"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  const { code, err } = await runCommand(makeDataset, ["--env.type=avoiding", "--episodes=6", `--output=${dataset}`]);
  expect([code, err]).toEqual([0, ""]);
  const common = [`--dataset.root=${dataset}`, "--policy.device=cpu", "--num_workers=0", "--steps=2", "--batch_size=4"];
  await trainIn(
    teacher,
    ...common,
    "--policy.type=smolvla",
    `--policy.vlm_model_name=${BASE_VLM}`,
    "--policy.load_vlm_weights=true",
    "--policy.chunk_size=8",
    "--policy.n_action_steps=4",
    "--policy.max_state_dim=4",
    "--policy.max_action_dim=3",
    "--policy.num_vlm_layers=2",
    "--policy.resize_imgs_with_padding=[64,64]",
    "--policy.tokenizer_max_length=24",
    "--eval_freq=0",
  );
  await trainIn(
    student,
    ...common,
    "--policy.use_reflow=true",
    `--policy.teacher_model_path=${teacher}`,
    "--policy.reflow_num_inference_steps=2",
    "--held_out.share=0.34",
    "--held_out.num_observations=2",
    "--held_out.num_noises=2",
    "--held_out.reference_steps=2",
    "--eval_freq=2",
  );
  cpSync(join(student, "checkpoints", "last", "pretrained_model"), distilled, { recursive: true, dereference: true });
  const provenance = JSON.parse(readFileSync(join(distilled, "reflow.json"), "utf8"));
  writeFileSync(join(distilled, "reflow.json"), JSON.stringify({ ...provenance, distilled: true }));
  return { dataset, teacher, student, distilled };
}

/** Few observations, few noises, few steps: what has to be there is there all the same. */
export const QUICK = [
  ...["--device=cpu", "--num_steps=1,2", "--deployed_steps=3", "--latency_calls=2"],
  ...["--num_observations=3", "--num_noises=4", "--reference_steps=4", "--path_steps=5", "--chunks_at_once=8"],
];

/** Runs `reflow compare` in this process. What it writes to the log is in `err`. */
export const runCompareCommand = (...flags: readonly string[]) => runLogged(flags, () => {});

/** The same, interrupted as by Ctrl-C when it first says how far it is. */
export const interruptCompareCommand = (...flags: readonly string[]) =>
  runLogged(flags, (text) => void (text.includes(" observations") && process.emit("SIGINT")));

async function runLogged(flags: readonly string[], onLog: (text: string) => void) {
  setNumThreads(1);
  let log = "";
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    log += String(text);
    onLog(String(text));
    return true;
  });
  try {
    const { code, out, err } = await runCommand(compare, flags);
    return { code, out, err: log + err };
  } finally {
    stderr.mockRestore();
  }
}

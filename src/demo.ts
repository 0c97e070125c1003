/**
 * The main job on data that comes with the package: straighten a small SmolVLA teacher on a small LeRobot dataset, and
 * show how far teacher and student are from the teacher's own converged solution at few steps.
 *
 * `npm run demo` sets everything up and runs this.
 */
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runTraining } from "./cli/run-training.js";
import { formatTable } from "./cli/table.js";
import { collate, LeRobotDataset } from "./data/index.js";
import { type AgreementRow, agreementTable } from "./eval/index.js";
import type { ProcessorBatch } from "./policy/processors/run-pipeline.js";
import { SmolVLAPolicy } from "./policy/smolvla-policy.js";
import { isUserError } from "./support/errors.js";
import { setNumThreads } from "./torch/index.js";
import { parseTrainConfig } from "./train/config.js";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TINY = join(ROOT, "test", "fixtures", "tiny-smolvla");
const TEACHER = join(TINY, "teacher");
const DATASET = join(TINY, "dataset-v3.0");
const OUTPUT = join(ROOT, "outputs", "demo");

/** The student never sees these episodes; both policies are measured on them. */
const HELD_OUT_EPISODES = [8, 9];
const TRAINING_EPISODES = [0, 1, 2, 3, 4, 5, 6, 7];

/**
 * Times are drawn in a U, with a quarter at time 1 exactly, which is all that a one-step policy sees (the defaults). The
 * teacher is asked about states around the few that were recorded, and the robot's own dimensions have nine tenths of the
 * loss. Of each observation come three pairs, each used twice. The learning rate is that of a small network trained
 * briefly; a real SmolVLA takes the preset of its round.
 */
const SETTINGS = {
  policy: {
    type: "smolvla",
    use_reflow: true,
    teacher_model_path: TEACHER,
    reflow_num_inference_steps: 40,
    optimizer_lr: 1e-3,
    scheduler_warmup_steps: 100,
    scheduler_decay_lr: 1e-5,
  },
  dataset: { repo_id: "demo/tiny", root: DATASET, episodes: TRAINING_EPISODES },
  reflow: { state_noise: 0.5, noises_per_observation: 3, pair_uses: 2, loss: { padded_share: 0.1 } },
  eval_freq: 0, // the table at the end measures on episodes that are held out here
  output_dir: OUTPUT,
  overwrite: true,
  batch_size: 16,
  steps: 1000,
  save_freq: 1000,
  log_freq: 200,
  num_workers: 1,
};

const NUM_OBSERVATIONS = 24;
const NUM_NOISES = 16;
const NUM_STEPS = [1, 2, 5, 10];
const NUM_REFERENCE_STEPS = 100;

/** Frames spread evenly over the held-out episodes. */
async function heldOutObservations(): Promise<ProcessorBatch> {
  await using dataset = await LeRobotDataset.open({ root: DATASET, episodes: HELD_OUT_EPISODES });
  const frames = Array.from({ length: NUM_OBSERVATIONS }, (_, i) =>
    Math.floor((i * dataset.numFrames) / NUM_OBSERVATIONS),
  );
  const items = [];
  for (const frame of frames) items.push(await dataset.item(frame));
  return collate(items);
}

const percent = (value: number | undefined): string => (value === undefined ? "-" : `${(100 * value).toFixed(1)} %`);
const fixed = (value: number | undefined): string => (value === undefined ? "-" : value.toFixed(2));

function printTable(rows: readonly AgreementRow[]): void {
  const at = (name: string, numSteps: number): AgreementRow =>
    rows.find((row) => row.name === name && row.numSteps === numSteps)!;
  const cells = NUM_STEPS.map((numSteps) => {
    const [teacher, student] = [at("teacher", numSteps), at("student", numSteps)];
    return [
      String(numSteps),
      ...[teacher, student].flatMap((row) => [
        percent(row.relativeError),
        fixed(row.noiseExplained),
        fixed(row.spreadRatio),
      ]),
    ];
  });
  const header = ["steps", "teacher: error", "explained", "spread", "student: error", "explained", "spread"];
  console.log(formatTable(cells, { header, align: header.map(() => "right" as const) }));
}

async function demo(): Promise<void> {
  console.log("Straightening a small SmolVLA policy (reflow) on a small LeRobot dataset.\n");
  setNumThreads(1); // tensors this small are computed before a second thread is awake
  const { config, warnings } = parseTrainConfig(SETTINGS);
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  await rm(OUTPUT, { recursive: true, force: true });
  const wasInterrupted = await runTraining(config, {
    warnings,
    resume: undefined,
    signal: interrupt.signal,
    stream: process.stderr,
  });
  if (wasInterrupted) {
    process.exitCode = 130;
    return;
  }
  const folder = join(OUTPUT, "checkpoints", "last", "pretrained_model");
  const teacher = await SmolVLAPolicy.load(TEACHER, { device: "cpu" });
  const student = await SmolVLAPolicy.load(folder, { device: "cpu" });
  const rows = agreementTable({
    reference: teacher,
    candidates: [
      { name: "teacher", policy: teacher },
      { name: "student", policy: student },
    ],
    observations: await heldOutObservations(),
    numNoises: NUM_NOISES,
    numStepsList: NUM_STEPS,
    numReferenceSteps: NUM_REFERENCE_STEPS,
    seed: 7,
  });
  console.log(
    `\nAgreement with the teacher's own converged solution (${NUM_REFERENCE_STEPS} Euler steps) on ${NUM_OBSERVATIONS} frames of held-out ` +
      `episodes,\n${NUM_NOISES} noises each, the same for both. error: relative, lower is better. explained: share of the\n` +
      "teacher's response to the noise that is reproduced; 1 is a perfect copy, 0 is ignoring the noise. spread: 1 is right.\n",
  );
  printTable(rows);
  console.log(`\nThe student is a LeRobot policy folder: ${folder}`);
}

try {
  await demo();
} catch (error) {
  if (!isUserError(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

// Reflow training of the tiny fixture through the real set-up and the real loop; nothing is saved.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTrainConfig } from "../../dist/train/config.js";
import { startTraining } from "../../dist/train/start-training.js";

const FIXTURE = join(import.meta.dirname, "..", "..", "test", "fixtures", "tiny-smolvla");

/**
 * Trains, and calls `onStep` with every step's event.
 * @param {{ batchSize: number, teacherSteps: number, numSteps: number, numWorkers: number }} options
 * @param {(event: import("../../dist/train/loop.js").LoopEvent & { kind: "step" }) => void} onStep
 */
export async function trainTiny({ batchSize, teacherSteps, numSteps, numWorkers }, onStep) {
  const folder = mkdtempSync(join(tmpdir(), "reflow-bench-"));
  try {
    const { config } = parseTrainConfig({
      policy: {
        type: "smolvla",
        device: "cpu",
        use_reflow: true,
        teacher_model_path: join(FIXTURE, "teacher"),
        reflow_num_inference_steps: teacherSteps,
        optimizer_lr: 1e-4,
      },
      dataset: { repo_id: "bench/tiny", root: join(FIXTURE, "dataset-v3.0") },
      output_dir: join(folder, "run"),
      batch_size: batchSize,
      steps: numSteps,
      num_workers: numWorkers,
      save_checkpoint: false,
      eval_freq: 0,
    });
    const run = await startTraining(config);
    try {
      for await (const event of run.events) if (event.kind === "step") onStep(event);
    } finally {
      await run.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

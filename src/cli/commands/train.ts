import { defineCommand, type Invocation } from "../command.js";
import { TRAIN_SETTINGS } from "../train-settings.js";

export const command = defineCommand({
  name: "train",
  summary: "straighten a policy's flow (reflow), or train one on demonstrations (flow matching)",
  description:
    "With --policy.use_reflow=true the student starts as a copy of --policy.teacher_model_path and learns where the teacher's " +
    "flow carries each noise. Without it, the policy of --policy.path (or a new one of --policy.type) learns the dataset's " +
    "demonstrations. Settings have LeRobot's names and defaults, as --a.b=value or --a.b value; --config_path=FILE.yaml|json " +
    "gives a file of them. Ctrl-C finishes the step, saves a checkpoint and exits with 130.",
  settings: TRAIN_SETTINGS,
  examples: [
    "reflow train --policy.type=smolvla --policy.use_reflow=true --policy.teacher_model_path=DIR --dataset.repo_id=ID --dataset.root=DIR --output_dir=OUT --batch_size=32 --steps=20000 --policy.optimizer_lr=2e-5",
    "reflow train --policy.path=DIR --dataset.repo_id=ID --output_dir=OUT",
    "reflow train --resume=true --output_dir=OUT",
  ],
  run: train,
});

async function train({ settings }: Invocation): Promise<number> {
  const { readRunSettings } = await import("../run-settings.js");
  const { runTraining } = await import("../run-training.js");
  const { EXIT_INTERRUPTED, interruptible } = await import("../interruptible.js");
  const { config, warnings, resume } = await readRunSettings(settings);
  const wasInterrupted = await interruptible((signal) =>
    runTraining(config, { warnings, resume, signal, stream: process.stderr }),
  );
  return wasInterrupted ? EXIT_INTERRUPTED : 0;
}

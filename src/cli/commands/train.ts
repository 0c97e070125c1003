import { defineCommand, type Invocation } from "../command.js";
import { TRAIN_SETTINGS } from "../train-settings.js";

/** What Ctrl-C ends a program with: 128 and the signal's number. */
const EXIT_INTERRUPTED = 130;

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
  const { config, warnings, resume } = await readRunSettings(settings);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  // Once: a second signal ends a run that is slow to stop, as while it saves; what is saved is whole even then.
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    const wasInterrupted = await runTraining(config, {
      warnings,
      resume,
      signal: interrupt.signal,
      stream: process.stderr,
    });
    return wasInterrupted ? EXIT_INTERRUPTED : 0;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

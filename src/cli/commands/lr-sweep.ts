import { defineCommand, type Invocation } from "../command.js";
import { TRAIN_SETTINGS } from "../train-settings.js";

const OPTIONS = {
  lrs: {
    kind: "text",
    placeholder: "rates",
    description: "peak learning rates to compare, such as 1e-5,2e-5,5e-5",
    isRequired: true,
  },
} as const;

/** Steps of a sweep that is not told how many. */
const DEFAULT_STEPS = 1000;

export const command = defineCommand({
  name: "lr-sweep",
  summary: "train with several learning rates side by side, compare them and recommend one",
  description:
    "All rates share one teacher, one encoding of the observations and one set of noises, pairs and times per step; each has its " +
    `own action expert and optimizer. Settings are those of reflow train (steps: ${DEFAULT_STEPS}), and each arm does what that ` +
    "command would do with its rate. A rate that diverges is stopped and the others go on. Prints a table, plots and a " +
    "recommendation; writes lr-sweep.json, lr-sweep.svg and each arm's records to --output_dir. No checkpoints are kept. " +
    "Ctrl-C keeps what is known so far, marked as partial, and exits with 130.",
  options: OPTIONS,
  settings: TRAIN_SETTINGS,
  examples: [
    "reflow lr-sweep --lrs=1e-5,2e-5,5e-5,7e-5,1e-4 --steps=1000 --policy.use_reflow=true --policy.teacher_model_path=DIR --dataset.repo_id=ID --output_dir=OUT",
  ],
  run: sweep,
});

async function sweep({ options, settings }: Invocation<Readonly<Record<never, never>>, typeof OPTIONS>) {
  const { readRates } = await import("../arms/read-list.js");
  const rates = readRates(options.lrs);
  const { readArmSettings } = await import("../arms/arm-settings.js");
  const { config, warnings } = await readArmSettings("lr-sweep", settings, { steps: DEFAULT_STEPS });
  const { sweepLearningRates } = await import("../arms/lr-sweep.js");
  const { EXIT_INTERRUPTED, interruptible } = await import("../interruptible.js");
  const isRateGiven = config.policy.fields.optimizer_lr !== undefined;
  const { text, wasInterrupted } = await interruptible((signal) =>
    sweepLearningRates(config, rates, {
      warnings: [...warnings, ...(isRateGiven ? ["policy.optimizer_lr has no effect: --lrs says which rates"] : [])],
      signal,
      stream: process.stderr,
    }),
  );
  console.log(text);
  return wasInterrupted ? EXIT_INTERRUPTED : 0;
}

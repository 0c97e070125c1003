import { defineCommand, type Invocation } from "../command.js";
import { TRAIN_SETTINGS } from "../train-settings.js";

const OPTIONS = {
  inits: {
    kind: "text",
    placeholder: "names",
    description:
      "what students begin as, two or three of teacher (a copy), vlm (a fresh expert on the teacher's vision-language model), " +
      "random (fresh weights throughout)",
    default: "teacher,vlm,random",
  },
  seeds: { kind: "integer", description: "repetitions with different seeds, one after the other", default: 1 },
} as const;

/** Steps of a comparison that is not told how many. */
const DEFAULT_STEPS = 5000;

export const command = defineCommand({
  name: "compare-init",
  summary: "train students that begin differently side by side, and compare them",
  description:
    "Students that begin as a copy of the teacher, with a fresh action expert, or with fresh weights throughout learn from one " +
    "teacher with equal compute: the same batches, noises, pairs and times. Settings are those of reflow train " +
    `(policy.use_reflow: true, steps: ${DEFAULT_STEPS}). Prints losses and how each student agrees with the teacher on equal ` +
    "noise; writes compare-init.json, compare-init.svg and each student's records to --output_dir. No checkpoints are kept. " +
    "Ctrl-C keeps what is known so far, marked as partial, and exits with 130.",
  options: OPTIONS,
  settings: TRAIN_SETTINGS,
  examples: [
    "reflow compare-init --inits=teacher,vlm,random --steps=5000 --policy.teacher_model_path=DIR --dataset.repo_id=ID --output_dir=OUT",
  ],
  run: compare,
});

async function compare({ options, settings }: Invocation<Readonly<Record<never, never>>, typeof OPTIONS>) {
  const [{ readChoices }, { readArmSettings }, { compareInits, INITS }, { EXIT_INTERRUPTED, interruptible }, errors] =
    await Promise.all([
      import("../arms/read-list.js"),
      import("../arms/arm-settings.js"),
      import("../arms/compare-init.js"),
      import("../interruptible.js"),
      import("../../support/errors.js"),
    ]);
  const inits = readChoices("inits", options.inits, INITS);
  if (options.seeds < 1) throw new errors.ConfigError("--seeds", `expected at least 1, got ${options.seeds}`);
  const { config, warnings } = await readArmSettings("compare-init", settings, {
    steps: DEFAULT_STEPS,
    policy: { use_reflow: true },
  });
  const isInitGiven = config.policy.studentInit !== "teacher";
  const { text, wasInterrupted } = await interruptible((signal) =>
    compareInits(config, inits, options.seeds, {
      warnings: [
        ...warnings,
        ...(isInitGiven ? ["policy.student_init has no effect: --inits says what is compared"] : []),
      ],
      signal,
      stream: process.stderr,
    }),
  );
  console.log(text);
  return wasInterrupted ? EXIT_INTERRUPTED : 0;
}

import { defineCommand, type Invocation } from "../command.js";
import { COMPARE_SETTINGS } from "../compare-settings.js";

/** A report of progress is written at most this often. */
const PROGRESS_MS = 2000;

export const command = defineCommand({
  name: "compare",
  summary: "Compares policies with their teacher, from the same noises and in the same episodes.",
  description:
    "The first policy is the teacher. It is measured with every number of steps, too, and as it is deployed: what all others are " +
    "held against. With a dataset, samples and flows are compared on observations that nobody has learnt from; with a world, " +
    "policies are driven in closed loop. Says with how many steps the margins are kept, which are written down before anything is " +
    "measured, and writes comparison.json and a report page. Ctrl-C keeps what is known, marked as partial, and exits with 130; the " +
    "same command continues it.",
  settings: COMPARE_SETTINGS,
  examples: [
    "reflow compare --policies=teacher=outputs/fm,student=outputs/reflow --num_steps=1,2,10 --dataset.root=data/avoiding " +
      "--env.type=avoiding --eval.n_episodes=500 --output_dir=outputs/compare",
  ],
  run: compare,
});

async function compare({ settings }: Invocation): Promise<number> {
  const { readCompareSettings } = await import("../compare-settings.js");
  const config = await readCompareSettings(settings);
  const { runCompare } = await import("../run-compare.js");
  const { EXIT_INTERRUPTED, interruptible } = await import("../interruptible.js");
  let lastShown = Number.NEGATIVE_INFINITY;
  const { text, comparison, wasInterrupted } = await interruptible((signal) =>
    runCompare(config, {
      signal,
      onWarning: (message) => void process.stderr.write(`warning: ${message}\n`),
      onProgress: (progress) => {
        if (performance.now() - lastShown < PROGRESS_MS) return;
        lastShown = performance.now();
        process.stderr.write(`${progress}\n`);
      },
    }),
  );
  console.log(text);
  if (wasInterrupted) return EXIT_INTERRUPTED;
  return config.failOnVerdict && comparison.verdicts.some(({ isMet }) => !isMet) ? 1 : 0;
}

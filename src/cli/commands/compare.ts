import { defineCommand, type Invocation } from "../command.js";
import { COMPARE_SETTINGS } from "../compare-settings.js";

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
  const { progressLines } = await import("../progress-lines.js");
  const writeLine = (line: string): void => void process.stderr.write(`${line}\n`);
  const { text, comparison, wasInterrupted } = await interruptible((signal) =>
    runCompare(config, {
      signal,
      onWarning: (message) => writeLine(`warning: ${message}`),
      onSamples: progressLines({ writeLine }),
      onEpisodes: progressLines({ writeLine }),
    }),
  );
  console.log(text);
  if (wasInterrupted) return EXIT_INTERRUPTED;
  return config.failOnVerdict && comparison.verdicts.some(({ isMet }) => !isMet) ? 1 : 0;
}

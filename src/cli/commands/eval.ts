import { defineCommand, type Invocation } from "../command.js";
import { EVAL_SETTINGS } from "../eval-settings.js";

export const command = defineCommand({
  name: "eval",
  summary: "Drives a built-in world with a policy and counts successes.",
  description:
    "Episode i is a function of seed + i alone. Says the share of successes with its 95 % interval, the ways that were taken and " +
    "their entropy, smoothness and latency, and writes LeRobot's eval_info.json with all of it, and videos of the first episodes. " +
    "Until the end the file is marked as partial and at most some seconds old, however the program ends; Ctrl-C lets the " +
    "episodes that are running end, and exits with 130.",
  settings: EVAL_SETTINGS,
  examples: ["reflow eval --policy.path=outputs/run --env.type=avoiding --eval.n_episodes=500 --policy.num_steps=1"],
  run: evaluate,
});

async function evaluate({ settings }: Invocation): Promise<number> {
  const { readEvalSettings } = await import("../eval-settings.js");
  const config = await readEvalSettings(settings);
  const { runEvaluation } = await import("../run-eval.js");
  const { EXIT_INTERRUPTED, interruptible } = await import("../interruptible.js");
  const { progressLines } = await import("../progress-lines.js");
  const writeLine = (line: string): void => void process.stderr.write(`${line}\n`);
  const { text, wasInterrupted } = await interruptible((signal) =>
    runEvaluation(config, {
      signal,
      onWarning: (message) => writeLine(`warning: ${message}`),
      onProgress: progressLines({ writeLine }),
    }),
  );
  console.log(text);
  return wasInterrupted ? EXIT_INTERRUPTED : 0;
}

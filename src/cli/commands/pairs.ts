import { defineCommand, type Invocation } from "../command.js";
import { PAIRS_SETTINGS } from "../pairs-settings.js";

export const command = defineCommand({
  name: "pairs",
  summary: "store a teacher's pairs (noise, actions) for reflow train --reflow.pairs",
  description:
    "Draws noises for every frame of a dataset, lets the teacher's flow carry them to actions, and writes both to a folder. " +
    "The same command continues where it was stopped, in whatever way. Ctrl-C exits with 130; finished shards stay. Settings " +
    "are given as --a.b=value or --a.b value; --config_path=FILE.yaml|json gives a file of them.",
  settings: PAIRS_SETTINGS,
  examples: [
    "reflow pairs --policy.path=DIR --dataset.root=DIR --num_noises_per_observation=8 --output=PAIRS \\",
    "    --reflow.teacher_solver=heun --reflow.teacher_grid=data_dense --policy.reflow_num_inference_steps=20",
  ],
  run: pairs,
});

async function pairs({ settings }: Invocation): Promise<number> {
  const [{ EXIT_INTERRUPTED, interruptible }, { readSettings }, { parsePairsConfig }, { runPairs }] = await Promise.all(
    [
      import("../interruptible.js"),
      import("../overrides.js"),
      import("../../train/pairs/pairs-config.js"),
      import("../run-pairs.js"),
    ],
  );
  const config = parsePairsConfig((await readSettings(settings)).settings);
  const wasInterrupted = await interruptible((signal) => runPairs(config, { signal, stream: process.stderr }));
  return wasInterrupted ? EXIT_INTERRUPTED : 0;
}

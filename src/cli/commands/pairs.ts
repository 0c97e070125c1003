import { defineCommand, type Invocation } from "../command.js";
import { PAIRS_SETTINGS } from "../pairs-settings.js";

/** What Ctrl-C ends a program with: 128 and the signal's number. */
const EXIT_INTERRUPTED = 130;

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
  const [{ readSettings }, { parsePairsConfig }, { runPairs }] = await Promise.all([
    import("../overrides.js"),
    import("../../train/pairs/pairs-config.js"),
    import("../run-pairs.js"),
  ]);
  const config = parsePairsConfig((await readSettings(settings)).settings);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  // Once: a second signal ends a command that is slow to stop; finished shards are whole even then.
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    return (await runPairs(config, { signal: interrupt.signal, stream: process.stderr })) ? EXIT_INTERRUPTED : 0;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

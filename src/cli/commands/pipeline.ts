import { defineCommand, type Invocation } from "../command.js";

/** What Ctrl-C ends a program with: 128 and the signal's number. */
const EXIT_INTERRUPTED = 130;

export const command = defineCommand({
  name: "pipeline",
  summary: "train, straighten and distil in stages, one after the other, and compare the results",
  description:
    "Runs the stages of FILE (flow_matching, reflow, distill), each a training run in its own folder that starts from the one " +
    "before it, and compares all policies with the original at few steps. The same command continues where it was stopped, in " +
    "whatever way. All settings of reflow train are understood, for all stages or, as --stages.NAME.a.b=value, for one. Ctrl-C " +
    "saves a checkpoint and exits with 130.",
  settings: [
    { name: "config_path", description: "YAML or JSON file of the pipeline" },
    { name: "output_dir", description: "the pipeline's folder" },
    { name: "stages", description: "list of stages, each with name, kind and its own settings; or settings by stage" },
    { name: "rounds", description: "instead of a list: how many times the flow is straightened" },
    { name: "distill", description: "instead of a list: whether a one-step policy follows (false)" },
    { name: "compare.num_steps", description: "Euler steps at which policies are compared ([1,2,5,10])" },
    { name: "compare.num_observations", description: "held-out observations for it (64)" },
    { name: "compare.num_noises", description: "noises for each of them (16)" },
    { name: "compare.reference_steps", description: "Euler steps of the solution that counts as the truth (100)" },
    {
      name: "compare.baseline",
      description: "policy whose solution counts as the truth (the flow that is straightened)",
    },
    { name: "overwrite", description: "do stages again whose settings have changed, and all after them (false)" },
  ],
  examples: [
    "reflow pipeline --config_path=examples/pipeline.yaml",
    "reflow pipeline --config_path=examples/pipeline.yaml --stages.distill.steps=5000",
    "reflow pipeline --rounds=1 --distill=true --policy.teacher_model_path=DIR --dataset.root=DIR --output_dir=OUT",
  ],
  run: pipeline,
});

async function pipeline({ settings }: Invocation): Promise<number> {
  const [{ readPipeline }, { runPipeline }] = await Promise.all([
    import("../pipeline/read-pipeline.js"),
    import("../pipeline/run-pipeline.js"),
  ]);
  const request = await readPipeline(settings);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  const letSignalsEnd = (): void => {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  };
  // Once: a second signal ends a run that is slow to stop, as while it saves; what is saved is whole even then.
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    const { signal } = interrupt;
    const wasInterrupted = await runPipeline(request, { signal, stream: process.stderr, letSignalsEnd });
    return wasInterrupted ? EXIT_INTERRUPTED : 0;
  } finally {
    letSignalsEnd();
  }
}

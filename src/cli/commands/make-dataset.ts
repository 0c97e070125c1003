import { defineCommand, type Invocation } from "../command.js";

export const command = defineCommand({
  name: "make-dataset",
  summary: "Records scripted demonstrations of a built-in world as a LeRobot v3.0 dataset.",
  description:
    "Episode i is a function of seed + i alone. Frames hold the camera's image (AV1 video), the state and the action that was " +
    "taken then. The folder appears when the dataset is complete; Ctrl-C leaves none and exits with 130.",
  settings: [
    { name: "env.type", description: "avoiding" },
    { name: "env.image_size", description: "edge of the camera's image in pixels (96)" },
    { name: "env.camera", description: "name of the camera (observation.images.top)" },
    { name: "env.start_noise", description: "how far from its usual place the rod may begin, in metres (0)" },
    { name: "env.tracking", description: "share of the way to where it is sent that the rod goes in a step (1)" },
    { name: "env.upstream_lag", description: "measured positions are one step old, as in D3IL (true)" },
    { name: "env.max_steps", description: "an episode that is not over by then is given up (250)" },
    { name: "episodes", description: "how many (96)" },
    { name: "seed", description: "of the first episode (0)" },
    { name: "output", description: "the dataset's folder (outputs/datasets/<env.type>)" },
    { name: "overwrite", description: "replace a dataset that is there (false)" },
  ],
  examples: ["reflow make-dataset --env.type=avoiding --episodes=480 --output=data/avoiding"],
  run: makeDataset,
});

async function makeDataset({ settings }: Invocation): Promise<number> {
  const { readDatasetSettings } = await import("../dataset-settings.js");
  const request = await readDatasetSettings(settings);
  const [{ recordDemonstrations }, { EXIT_INTERRUPTED, interruptible }, { progressLines }] = await Promise.all([
    import("../../rollout/index.js"),
    import("../interruptible.js"),
    import("../progress-lines.js"),
  ]);
  const show = progressLines({ writeLine: (line) => void process.stderr.write(`${line}\n`) });
  const onEpisode = (done: number): void =>
    show(`${done} of ${request.numEpisodes} episodes`, done / request.numEpisodes);
  onEpisode(0);
  const recorded = await interruptible((signal) => recordDemonstrations({ ...request, signal, onEpisode }));
  if (recorded === undefined) return EXIT_INTERRUPTED;
  const ways = Object.values(recorded.modes);
  const taken = ways.filter((n) => n > 0).length;
  console.log(
    `${request.root}: ${recorded.numEpisodes} episodes, ${recorded.numFrames} frames` +
      (ways.length > 0 ? `, ${taken} of ${ways.length} ways` : ""),
  );
  return 0;
}

/** Training on datasets other than the usual one of videos. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type DatasetRecipe, writeDataset } from "../../src/data/testing/write-dataset.js";
import type { HostArray } from "../../src/support/host-array.js";
import { changedNames, RUNS, temporaryFolder, trainedWeights, trainIn, tryTraining } from "./training-run.js";

const episodes = [{ length: 9 }, { length: 7, dataFile: 1 }];
const NEW_POLICY = [
  ...RUNS["flow matching of a new policy"],
  "--steps=2",
  "--seed=3",
  "--dataset.use_imagenet_stats=false",
];

/** Statistics of the numbers, which every recorded dataset has. */
function addStatistics(root: string): void {
  const statistics = { mean: [4, -4], std: [2, 2], min: [0, -16], max: [16, 0], count: [16] };
  const text = JSON.stringify({ "observation.state": statistics, action: statistics });
  writeFileSync(join(root, "meta", "stats.json"), text);
}

/** Weights after two steps on a dataset of 64 by 64 pictures. */
async function weightsAfter(cameras: DatasetRecipe["cameras"], ...flags: readonly string[]) {
  await using dataset = await writeDataset({ episodes, cameras: cameras!, width: 64, height: 64 });
  addStatistics(dataset.root);
  const folder = temporaryFolder();
  await trainIn(folder, ...NEW_POLICY, `--dataset.root=${dataset.root}`, ...flags);
  return trainedWeights(folder);
}

it("images in columns train a policy as the same frames in lossless videos do, beside a video and in any number of workers", async () => {
  const [a, b] = ["observation.images.a", "observation.images.b"] as const;
  const videos = await weightsAfter({ [a]: "video", [b]: "video" });
  const runs: ReadonlyMap<string, HostArray>[] = [
    await weightsAfter({ [a]: "image", [b]: "image" }),
    await weightsAfter({ [a]: "image", [b]: "video" }),
    await weightsAfter({ [a]: "image", [b]: "image" }, "--num_workers=2"),
  ];
  for (const weights of runs) expect(changedNames(weights, videos)).toEqual([]);
}, 120_000);

it("a dataset without cameras ends in an error that says it has none", async () => {
  await using dataset = await writeDataset({ episodes });
  addStatistics(dataset.root);
  const { code, err } = await tryTraining(temporaryFolder(), ...NEW_POLICY, `--dataset.root=${dataset.root}`);
  expect(code).toBe(1);
  expect(err).toMatch(/^train: the dataset .* does not fit the policy: .*(cameras \(none\)|no camera)/);
});

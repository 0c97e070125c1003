import { type LeRobotDatasetOptions, readDatasetMetadata } from "../data/index.js";
import { resolveFolder } from "../hub/resolve-folder.js";
import type { TrainConfig } from "./config.js";
import { type EpisodeSplit, splitEpisodes } from "./held-out.js";

/** Where a run's data are, and which of its episodes it learns from. */
export interface RunData extends EpisodeSplit {
  readonly source: LeRobotDatasetOptions & { readonly root: string };
}

/** What of a run's settings says where its dataset is. */
export interface DataSettings {
  readonly dataset: Pick<TrainConfig["dataset"], "root" | "repoId" | "revision" | "episodes">;
  readonly toleranceS: number;
}

/** Finds a dataset, on disk or on the Hub. */
export async function findDataset({ dataset, toleranceS }: DataSettings): Promise<RunData["source"]> {
  const { repoId, revision, episodes } = dataset;
  const root = dataset.root ?? (await resolveFolder({ nameOrPath: repoId!, kind: "dataset", revision }));
  return { root, repoId, episodes, toleranceS };
}

/** Finds a run's dataset and splits its episodes. */
export async function findRunData(settings: TrainConfig): Promise<RunData> {
  const source = await findDataset(settings);
  const metadata = await readDatasetMetadata(source.root, source.repoId);
  return { source, ...splitEpisodes(source.episodes ?? metadata.episodes.map(({ index }) => index), settings) };
}

import { type LeRobotDatasetOptions, readDatasetMetadata } from "../data/index.js";
import { resolveFolder } from "../hub/resolve-folder.js";
import type { TrainConfig } from "./config.js";
import { type EpisodeSplit, splitEpisodes } from "./held-out.js";

/** Where a run's data are, and which of its episodes it learns from. */
export interface RunData extends EpisodeSplit {
  readonly source: LeRobotDatasetOptions & { readonly root: string };
}

/** Finds a run's dataset, on disk or on the Hub, and splits its episodes. */
export async function findRunData(settings: TrainConfig): Promise<RunData> {
  const { repoId, revision, episodes } = settings.dataset;
  const root = settings.dataset.root ?? (await resolveFolder({ nameOrPath: repoId!, kind: "dataset", revision }));
  const source = { root, repoId, episodes, toleranceS: settings.toleranceS };
  const metadata = await readDatasetMetadata(root, repoId);
  return { source, ...splitEpisodes(episodes ?? metadata.episodes.map(({ index }) => index), settings) };
}

import { join } from "node:path";
import type { DatasetInfo } from "./dataset-info.js";
import { type DatasetStats, parseDatasetStats } from "./dataset-stats.js";
import type { EpisodeMetadata } from "./episode.js";
import { readFileIfPresent } from "./json-file.js";
import { readEpisodes } from "./read-episodes.js";
import { readTasks } from "./read-tasks.js";

/** The parts of the metadata that the layouts store differently. */
export interface LayoutMetadata {
  readonly stats: DatasetStats;
  readonly tasks: readonly string[];
  readonly episodes: readonly EpisodeMetadata[];
  /** the file that the statistics came from; undefined if there is none */
  readonly statsBytes: Uint8Array | undefined;
}

/** Layout v3.0: many episodes per file, tables in parquet. */
export async function readLayoutV30(root: string, info: DatasetInfo, infoPath: string): Promise<LayoutMetadata> {
  const statsPath = join(root, "meta", "stats.json");
  const statsBytes = await readFileIfPresent(statsPath);
  return {
    stats: statsBytes === undefined ? new Map() : parseDatasetStats(statsBytes.toString("utf8"), statsPath),
    tasks: await readTasks(join(root, "meta", "tasks.parquet")),
    episodes: await readEpisodes(root, info, infoPath),
    statsBytes,
  };
}
